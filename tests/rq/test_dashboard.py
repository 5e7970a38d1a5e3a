"""rq-dashboard, which people know, shows doneyet's tasks."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.rq.conftest import RqAsker


@pytest.fixture
def dashboard(redis_url: str) -> Iterator[str]:
    """The address of the program at work."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = str(Path(sys.executable).with_name("rq-dashboard"))
    running = subprocess.Popen(
        [program, "--redis-url", redis_url, "--bind", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert running.poll() is None, "rq-dashboard has ended"
        try:
            return bool(page(address))
        except urllib.error.URLError:
            return False

    wait_until(answers, description="the dashboard answers", timeout_s=30)
    yield address
    running.terminate()
    running.wait(timeout=10)


def page(url: str) -> str:
    """What there is at `url`."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as reply:
        text: str = reply.read().decode()
    return text


def test_the_dashboard_shows_queues_and_tasks(asker: RqAsker, dashboard: str) -> None:
    """How many wait, and what each asks for."""
    task = asker.task("sample", "what is asked")
    asker.ask(task)
    assert "RQ dashboard" in page(dashboard)
    (queue,) = json.loads(page(f"{dashboard}/0/data/queues.json"))["queues"]
    assert (queue["name"], queue["count"]) == ("sample", 1)
    (job,) = json.loads(page(f"{dashboard}/0/data/jobs/sample/queued/8/asc/1.json"))["jobs"]
    assert job["id"] == task.id
    assert "what is asked" in job["description"]
    assert json.loads(page(f"{dashboard}/0/data/job/{task.id}.json"))["status"] == "queued"
