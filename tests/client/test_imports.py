"""The client can be copied into any project: it needs little, and nothing of the server's."""

from __future__ import annotations

import subprocess
import sys

ALLOWED = {"client", "requests", "rich"}
"""With what these need themselves."""
SERVER = {"flask", "granian", "http_server", "redis", "rq", "settings", "task_manager", "tasks"}


def test_importing_the_client_imports_nothing_of_the_server() -> None:
    """Neither doneyet's other packages nor their dependencies."""
    code = "import sys, client.command_line; print(*{n.split('.')[0] for n in sys.modules})"
    listed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(listed.stdout.split())
    assert loaded >= ALLOWED
    assert not loaded & (SERVER | {"pydantic", "worker", "local"})
