"""`make quick`: the contract without a server, in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.contract.on_cluster import NOT_ON_A_CLUSTER
from tests.contract.quick import NOT_QUICK

ROOT = Path(__file__).parents[1]


def test_the_quick_loop_needs_no_server() -> None:
    """It says what it ran, and what it leaves to a real server; no server could be started."""
    environ = {**os.environ, "REDIS_SERVER": "fakeredis", "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/contract/test_asking.py", "-k", "distributed"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert "server: fakeredis" in ran.stdout
    assert "left to a real server:" in ran.stdout
    assert " passed" in ran.stdout


def test_what_it_leaves_out_is_there() -> None:
    """No test is left out, there or by `make cluster`, under a name that nothing has any more."""
    contract = "".join(path.read_text() for path in (ROOT / "tests/contract").rglob("test_*.py"))
    for name in (*NOT_QUICK, *NOT_ON_A_CLUSTER):
        assert f"def {name}(" in contract, name
