"""`python -m tests.openapi`: lints the OpenAPI document and generates clients from it.

Exits with 1 at any error or warning of any of them. `make openapi` installs them first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from doneyet.settings import Settings
from doneyet.task_types import load_registry
from http_server.openapi.document import document

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON_TOOLS = ROOT / ".venv-openapi" / "bin"
MODELS = str(ROOT / "models.example.toml")
# A job from file to file, which the synchronous mode has not, needs a place for its files.
SERVED = {
    "random": {"tasks": "factorization,regression,batch", "storage": "/data"},
    "synchronous": {"tasks": "factorization,regression", "storage": ""},
}
WARNING = "⚠"
"""How openapi-typescript marks what it only warns of."""


def main() -> int:
    """0 when nobody has anything to say."""
    faults = 0
    with tempfile.TemporaryDirectory(prefix="doneyet-openapi-") as name:
        for mode, values in SERVED.items():
            folder = Path(name) / mode
            folder.mkdir()
            path = folder / "openapi.json"
            path.write_text(json.dumps(_document(mode, values)), encoding="utf-8")
            for tool, fault in _faults(path):
                faults += bool(fault)
                print(f"{mode}: {tool}: {fault or 'nothing to complain of'}", flush=True)
    return 1 if faults else 0


def _document(mode: str, values: Mapping[str, str]) -> dict[str, object]:
    settings = Settings(queue_mode=mode, models=MODELS, **values)  # type: ignore[arg-type]
    return document(load_registry(settings), settings)


def _faults(path: Path) -> Iterator[tuple[str, str]]:
    """Each tool, and what it says against the document; nothing where it is content."""
    types, client = path.with_suffix(".d.ts"), path.parent / "client"
    rules = ("--config", "redocly.yaml", "--format=json")
    yield "Redocly's recommended rules", _redocly(_run(_node("redocly"), "lint", *rules, str(path)))
    rules = ("--ruleset", "spectral.yaml", "--fail-severity=hint")
    yield "Spectral's OpenAPI rules", _failed(_run(_node("spectral"), "lint", *rules, str(path)))
    made = _run(_node("openapi-typescript"), str(path), "-o", str(types))
    yield "openapi-typescript", _failed(made) or (_said(made) if WARNING in _said(made) else "")
    yield "TypeScript", _failed(_run(_node("tsc"), "--noEmit", "--strict", str(types)))
    generate = (str(PYTHON_TOOLS / "openapi-python-client"), "generate", "--fail-on-warning")
    options = ("--path", str(path), "--output-path", str(client))
    yield "openapi-python-client", _failed(_run(*generate, *options))
    yield "Python", _failed(_run(sys.executable, "-m", "compileall", "-q", str(client)))


def _node(program: str) -> str:
    return str(HERE / "node_modules" / ".bin" / program)


def _redocly(done: subprocess.CompletedProcess[str]) -> str:
    """Its exit code knows no warnings, its report does."""
    try:
        totals = json.loads(done.stdout)["totals"]
    except (ValueError, KeyError):
        return _said(done)
    return _said(done) if totals["errors"] or totals["warnings"] else _failed(done)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "PATH": f"{PYTHON_TOOLS}:{os.environ['PATH']}",  # where a generator finds its formatter
        "REDOCLY_TELEMETRY": "off",
        "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    }
    return subprocess.run(
        command, cwd=HERE, env=environ, capture_output=True, text=True, check=False
    )


def _failed(done: subprocess.CompletedProcess[str]) -> str:
    return _said(done) if done.returncode else ""


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return f"exit code {done.returncode}\n{done.stdout}{done.stderr}".strip()


if __name__ == "__main__":
    sys.exit(main())
