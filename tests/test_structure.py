"""The parts depend on each other as docs/architecture says, and on nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "redis_url": set[str](),
    "settings": {"redis_url"},
    "tasks": {"settings"},
    "task_manager": {"redis_url", "settings"},
    "http_server": {"settings", "tasks", "task_manager"},
    "worker": {"redis_url", "settings", "tasks", "task_manager"},
    "client": set[str](),
    "local": {"settings", "client"},
}
"""Which of our parts each part may import, itself aside."""


def files(part: str) -> list[Path]:
    """The Python files of one part."""
    single = ROOT / f"{part}.py"
    return [single] if single.exists() else sorted((ROOT / part).rglob("*.py"))


def imported_parts(path: Path) -> set[str]:
    """Which of our parts a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found & MAY_IMPORT.keys()


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_arrows(part: str) -> None:
    """http_server, worker and client never import each other; task_manager knows no task."""
    assert files(part), f"{part} has files"
    for path in files(part):
        wrong = imported_parts(path) - MAY_IMPORT[part] - {part}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_client_needs_little() -> None:
    """Whoever installs the client installs requests and rich, nothing else."""
    third_party: set[str] = set()
    for path in files("client"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                third_party.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                third_party |= {name.name.split(".")[0] for name in node.names}
    import sys

    outside = third_party - set(sys.stdlib_module_names) - {"client"}
    assert outside <= {"requests", "rich", "urllib3"}


def test_no_pickle() -> None:
    """Nothing that could run code is ever read back from Redis."""
    for part in MAY_IMPORT:
        for path in files(part):
            names = {
                name.name
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Import)
                for name in node.names
            }
            assert not names & {"pickle", "marshal", "dill", "cloudpickle", "shelve"}, path
