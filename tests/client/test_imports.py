"""The client can be copied into any project: it needs little, and nothing of the server's."""

from __future__ import annotations

import subprocess
import sys

import pytest

ALLOWED = {"click", "doneyet", "requests", "rich"}
"""With what these need themselves."""
SERVER = {"flask", "granian", "http_server", "pydantic", "redis", "rq", "task_manager", "worker"}


def test_importing_the_client_imports_nothing_of_the_server() -> None:
    """Neither doneyet's other packages nor their dependencies."""
    code = "import sys, doneyet.command.asking, doneyet.client; print(*sys.modules)"
    listed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    modules = listed.stdout.split()
    loaded = {name.split(".")[0] for name in modules}
    assert loaded >= ALLOWED
    assert not loaded & SERVER
    ours = {name for name in modules if name.startswith("doneyet.")}
    assert all(
        name.startswith(("doneyet.client", "doneyet.command", "doneyet.cycle_search"))
        for name in ours
    ), ours


@pytest.mark.parametrize(
    ("name", "free_of"),
    [
        ("Client", {"flask", "pydantic", "redis", "torch", "transformers"}),
        ("TaskType", {"flask", "redis", "requests", "torch", "transformers"}),
    ],
)
def test_each_public_name_imports_little(name: str, free_of: set[str]) -> None:
    """Whoever uses one part needs what that part needs; the package itself needs nothing."""
    code = (
        "import sys, doneyet; before = {*sys.modules}; doneyet.NAME; "
        "print(*{n.split('.')[0] for n in sys.modules}); "
        "assert not {n for n in before if n.startswith('doneyet.')}"
    ).replace("NAME", name)
    listed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(listed.stdout.split()) & free_of
