"""`make audit`: the pinned packages as SBOMs (CycloneDX), and what is known to be wrong with them.

The SBOMs need no network. Vulnerabilities are asked of PyPI, or of whom the arguments name
(`--vulnerability-service osv`). Exit code 0: every package was looked up, and nothing is known; 1:
something is known; 2: some could not be looked up, which is no good news.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PINNED = ROOT / "requirements"
SBOMS = ROOT / "build" / "sbom"
PROGRAMS = Path(sys.executable).parent

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2
_MOST_NAMES = 5


def verdict(told: dict[str, Any]) -> tuple[int, list[str]]:
    """The exit code and the lines that pip-audit's report comes to.

    pip-audit itself says that nothing is known of packages that it could not look up.
    """
    lines, code = [], CLEAN
    known: dict[str, list[str]] = {}
    skipped: set[str] = set()
    for package in told["dependencies"]:
        if "skip_reason" in package:
            skipped.add(package["name"])
        for found in package.get("vulns", ()):
            names = "/".join([found["id"], *found.get("aliases", ())])
            fixed = ", ".join(found.get("fix_versions", ())) or "no version yet"
            of = f"{package['name']} {package['version']}"
            known.setdefault(of, []).append(f"  {names}: fixed in {fixed}")
    for of, found_of in sorted(known.items()):
        lines += [of, *sorted(set(found_of))]
        code = VULNERABLE
    audited = len({package["name"] for package in told["dependencies"]} - skipped)
    if not audited:
        lines.append(
            "NOT AUDITED: the database has none of the packages, so probably it was not reached; "
            "pip-audit asks PyPI, or another one with ARGS='--vulnerability-service osv'"
        )
        return UNKNOWN, lines
    if skipped:
        some = ", ".join(sorted(skipped)[:_MOST_NAMES])
        more = f" and {len(skipped) - _MOST_NAMES} more" if len(skipped) > _MOST_NAMES else ""
        lines.append(f"NOT AUDITED: the database does not have {some}{more}")
        code = code or UNKNOWN
    lines.append(f"{audited} packages looked up, {len(known)} of them with known vulnerabilities")
    return code, lines


def pins() -> list[str]:
    """Every pinned version of all files, once. Without hashes, which not all files have: pip-audit
    takes either all or none."""
    lines = [line for file in PINNED.glob("*.txt") for line in file.read_text().splitlines()]
    words = [line.removesuffix("\\").strip() for line in lines]
    return sorted({word for word in words if word and not word.startswith(("#", "-"))})


def write_sboms() -> None:
    """One for each file of pinned versions that users install; `dev` is what tests need.

    Raises:
        subprocess.CalledProcessError: cyclonedx-py does not understand a file.
    """
    SBOMS.mkdir(parents=True, exist_ok=True)
    for file in sorted(PINNED.glob("*.txt")):
        if file.stem == "dev":
            continue
        sbom = SBOMS / f"{file.stem}.cdx.json"
        command = [str(PROGRAMS / "cyclonedx-py"), "requirements", str(file)]
        options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible"]
        # Its warning: what needs what is not told, since a file of pins does not say it.
        environ = {**os.environ, "PYTHONWARNINGS": "ignore::UserWarning"}
        command = [*command, *options, "--output-file", str(sbom)]
        subprocess.run(command, check=True, env=environ)
        sys.stdout.write(f"wrote {sbom.relative_to(ROOT)}\n")
        sys.stdout.flush()


def audit(arguments: Sequence[str]) -> int:
    """Looks every pinned package up, those of the tests too; the exit code."""
    # Every version is pinned, so nothing is to be resolved, or installed for that.
    options = ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write("\n".join(pins()))
        wanted.flush()
        done = subprocess.run(
            [str(PROGRAMS / "pip-audit"), "--requirement", wanted.name, *options, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        told = json.loads(done.stdout)
    except ValueError:
        why = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        sys.stderr.write(f"NOT AUDITED: {why}\n")
        return UNKNOWN
    code, lines = verdict(told)
    (sys.stderr if code else sys.stdout).write("\n".join(lines) + "\n")
    return code


def main(arguments: Sequence[str]) -> int:
    """Both; the exit code is the audit's."""
    write_sboms()
    return audit(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
