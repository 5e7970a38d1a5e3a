"""The parts depend on each other as docs/architecture says, and on nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

GROUND = {"doneyet.redis_url", "doneyet.settings", "doneyet.fresh_python", "doneyet.tracing"}

MAY_IMPORT = {
    "autoscaler": set[str](),
    "doneyet.process_tree": set[str](),
    "doneyet.redis_url": set[str](),
    "doneyet.fresh_python": set[str](),
    "doneyet.strict_json": set[str](),
    "doneyet.settings": {"doneyet.redis_url"},
    "doneyet.tracing": {"doneyet.settings"},
    "doneyet.client": set[str](),
    "doneyet.task_types": {*GROUND, "doneyet.strict_json"},
    "doneyet.local": {*GROUND, "doneyet.client", "doneyet.task_types"},
    "doneyet.command": {
        *(*GROUND, "doneyet.client", "doneyet.local", "doneyet.task_types"),
        *("autoscaler", "http_server", "worker", "task_manager"),
    },
    "doneyet.testing": {
        *(*GROUND, "doneyet.client", "doneyet.strict_json", "doneyet.task_types"),
        *("http_server", "worker", "task_manager"),
    },
    "task_manager": GROUND,
    "http_server": {*GROUND, "doneyet.process_tree", "doneyet.task_types", "task_manager"},
    "worker": {
        *(*GROUND, "doneyet.process_tree", "doneyet.task_types"),
        *("autoscaler", "task_manager"),
    },
}
"""Which of our parts each part may import, itself aside."""


def files(part: str) -> list[Path]:
    """The Python files of one part."""
    place = ROOT / part.replace(".", "/")
    single = place.with_suffix(".py")
    return [single] if single.exists() else sorted(place.rglob("*.py"))


def imported_parts(path: Path) -> set[str]:
    """Which of our parts a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return {part for part in MAY_IMPORT for name in found if f"{name}.".startswith(f"{part}.")}


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_arrows(part: str) -> None:
    """http_server, worker and client never import each other; task_manager knows no task."""
    assert files(part), f"{part} has files"
    for path in files(part):
        # Programs start by a command of `doneyet.command`.
        more = {"doneyet.command"} if path.name == "__main__.py" else set()
        wrong = imported_parts(path) - MAY_IMPORT[part] - {part} - more
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_client_needs_little() -> None:
    """Whoever installs the client installs requests and rich, nothing else."""
    third_party: set[str] = set()
    for path in files("doneyet.client"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                third_party.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                third_party |= {name.name.split(".")[0] for name in node.names}
    import sys

    outside = third_party - set(sys.stdlib_module_names) - {"doneyet"}
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
