"""What `make audit` makes of pip-audit's reports; pip-audit itself is not in the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy import audit

CLICK: dict[str, Any] = {"name": "click", "version": "8.5.1", "vulns": []}
OLD: dict[str, Any] = {
    "name": "old",
    "version": "1.0",
    "vulns": [
        {"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.1"], "description": "..."},
        {"id": "PYSEC-2", "aliases": [], "fix_versions": [], "description": "..."},
    ],
}


def skipped(name: str) -> dict[str, Any]:
    """As pip-audit tells a package that its database does not have."""
    return {"name": name, "skip_reason": f"Dependency not found on PyPI and could not be: {name}"}


def test_nothing_is_known() -> None:
    """Exit code 0 where each package was looked up."""
    code, lines = audit.verdict({"dependencies": [CLICK]})
    assert (code, lines) == (0, ["1 packages looked up, 0 of them with known vulnerabilities"])


def test_something_is_known() -> None:
    """Exit code 1, with the names and the version to take."""
    code, lines = audit.verdict({"dependencies": [CLICK, OLD]})
    assert code == 1
    assert lines[:3] == [
        "old 1.0",
        "  PYSEC-1/CVE-2026-1: fixed in 1.1",
        "  PYSEC-2: fixed in no version yet",
    ]
    assert audit.verdict({"dependencies": [CLICK, OLD, skipped("own")]})[0] == 1


def test_what_was_not_looked_up_is_no_good_news() -> None:
    """Exit code 2, where pip-audit says that nothing is known."""
    code, lines = audit.verdict({"dependencies": [CLICK, *map(skipped, "abcdefg")]})
    assert code == 2
    assert lines[0] == "NOT AUDITED: the database does not have a, b, c, d, e and 2 more"
    code, lines = audit.verdict({"dependencies": [skipped("a"), skipped("b")]})
    assert code == 2
    assert "probably it was not reached" in lines[0]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (json.dumps({"dependencies": [CLICK], "fixes": []}), 0),
        (json.dumps({"dependencies": [OLD], "fixes": []}), 1),
        ("", 2),
        ("Traceback", 2),
    ],
)
def test_a_run(
    said: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A program in pip-audit's place gets all pins, and says one thing; or breaks."""
    program = tmp_path / "pip-audit"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nprint({said!r})\n"
        "pins = open(sys.argv[2]).read()\n"
        "assert 'flask==' in pins and 'torch==' in pins and 'pytest==' in pins\n"
        "assert '--hash' not in pins and sys.argv[-1] == '--timeout=5'\n"
        "print('why it broke', file=sys.stderr)\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(audit, "PROGRAMS", tmp_path)
    assert audit.audit(["--timeout=5"]) == code
    told = capsys.readouterr()
    if code == audit.UNKNOWN:
        assert told.err == "NOT AUDITED: why it broke\n"


def test_every_pin_is_one_line() -> None:
    """A name and one version, perhaps for some platforms; none twice."""
    pins = audit.pins()
    assert all("==" in pin for pin in pins)
    names = [pin.partition("==")[0] for pin in pins if ";" not in pin]
    assert len(set(names)) == len(names)


def test_it_needs_nothing_but_its_two_programs() -> None:
    """It runs in an environment of its own, without this project."""
    code = "import sys; sys.modules['requests'] = None; import runpy; runpy.run_path(sys.argv[1])"
    subprocess.run([sys.executable, "-S", "-c", code, audit.__file__], check=True)
