"""Programs that are started where something is missing: one line says what to do."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from doneyet.settings import Settings
from doneyet.task_types import load_registry
from task_manager import open_submitter
from tests.helpers import wait_until
from tests.http.servers import ROOT, free_port, is_live

PROGRAMS = ["http_server", "worker"]


def start(script: str, *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """What a shell script says whose "$@" is the program."""
    return subprocess.run(
        ["bash", "-c", script, "sh", sys.executable, *words],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("program", [*PROGRAMS, "doneyet", "doneyet.client"])
def test_the_current_directory_is_gone(tmp_path: Path, program: str) -> None:
    """Refused."""
    ended = start('mkdir gone; cd gone; rmdir ../gone; "$@"', "-m", program, "load", cwd=tmp_path)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "the current directory is gone" in line


@pytest.mark.parametrize("program", PROGRAMS)
def test_few_open_files(program: str) -> None:
    """Refused, with what to raise."""
    ended = start('ulimit -n 20; "$@"', "-m", program, "--tasks", "factorization")
    assert ended.returncode == 2
    assert "ulimit -n" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert "panic" not in ended.stderr


FULL_DISK = 'unset PYTHONUNBUFFERED; exec "$@" >/dev/full 2>&1'
ODD_STREAMS = ['exec "$@" <&- >&- 2>&-', FULL_DISK]


@pytest.mark.parametrize(
    "script", [*ODD_STREAMS, 'ulimit -n 128; exec "$@"', 'ulimit -Sn 20; exec "$@"']
)
def test_a_server_that_can_work(script: str) -> None:
    """Without standard streams, and with files enough, it serves and ends in order."""
    port = free_port()
    words = ["-m", "http_server", "--synchronous", "--tasks", "factorization", "--port", str(port)]
    process = subprocess.Popen(["bash", "-c", script, "sh", sys.executable, *words], cwd=ROOT)
    try:
        wait_until(
            lambda: is_live(f"http://127.0.0.1:{port}"), description="it is live", timeout_s=30
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


@pytest.mark.parametrize("script", ODD_STREAMS)
def test_a_worker_that_can_work(script: str, redis_url: str) -> None:
    """Likewise: it says nothing, serves, and ends in order."""
    settings = Settings(redis_url=redis_url, tasks="factorization")
    submitter = open_submitter(settings, load_registry(settings).types)
    words = ["-m", "worker", "--tasks", "factorization", "--redis-url", redis_url]
    process = subprocess.Popen(["bash", "-c", script, "sh", sys.executable, *words], cwd=ROOT)
    try:
        wait_until(
            lambda: submitter.load(["factorization"])[0].workers == 1, description="it serves"
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        submitter.close()
        if process.poll() is None:
            process.kill()
            process.wait(10)
