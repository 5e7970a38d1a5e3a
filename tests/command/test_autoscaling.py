"""`doneyet autoscale`, with a real server and a `docker` that keeps containers in a file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.managed_process import free_port
from doneyet.local.system import System
from tests.autoscaler.fake_docker import Docker

PAIR = "factorization=model"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """One without containers, found before any other."""
    monkeypatch.setenv("DOCKER_STATE", "")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Docker(tmp_path)


@pytest.fixture
def system(redis_server: EmbeddedRedis) -> Iterator[System]:
    """A server, and no worker."""
    settings = {"DONEYET_TASKS": "factorization", "DONEYET_KEY_PREFIX": "autoscale"}
    system = System(queue_mode="distributed", redis_url=redis_server.url, settings=settings)
    try:
        system.start_http_server()
        yield system
    finally:
        system.stop()


def autoscale(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, until it ends."""
    command = [sys.executable, "-m", "doneyet", "autoscale", "--once", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_first_container_comes_with_the_first_task(system: System, docker: Docker) -> None:
    """None before, one then, and it stays."""
    to_zero = ("--url", system.url, "--min-replicas", "0", "--compose", "one.yml", PAIR)
    idle = autoscale(*to_zero)
    assert (idle.returncode, idle.stdout, idle.stderr) == (0, "", "")
    requests.post(f"{system.url}/factorize", json={"number": 6}, timeout=30)
    assert autoscale(*to_zero).stdout == "factorization: 0 -> 1 containers\n"
    assert docker.there() == ["p-model-1"]
    assert autoscale(*to_zero).stdout == ""


def test_while_a_type_is_paused_nothing_changes(system: System, docker: Docker) -> None:
    """What waits then is no work: whoever were started for it would be idle, and cost."""
    to_zero = ("--url", system.url, "--min-replicas", "0", "--compose", "one.yml", PAIR)
    requests.post(f"{system.url}/types/factorization/pause", timeout=30)
    requests.post(f"{system.url}/factorize", json={"number": 6}, timeout=30)
    assert autoscale(*to_zero).stdout == ""
    requests.post(f"{system.url}/types/factorization/resume", timeout=30)
    assert autoscale(*to_zero).stdout == "factorization: 0 -> 1 containers\n"


def test_while_the_server_is_away_nothing_changes(docker: Docker) -> None:
    """Nobody can tell how much there is to do."""
    away = ("--url", f"http://127.0.0.1:{free_port()}", "--every-s", "0.1", "--min-replicas", "0")
    docker.change(there={"p-model-1": ["a" * 12, "running"]})
    assert autoscale(*away, PAIR).returncode == 0
    assert docker.there() == ["p-model-1"]


def test_what_is_wrong_is_told(system: System, docker: Docker) -> None:
    """One line each."""
    docker.change(refuse="no such service: model")
    refused = autoscale("--url", system.url, PAIR)
    assert "no such service: model; trying again" in refused.stderr
    assert autoscale("--url", system.url, "factorization").returncode == 2
    wrong = autoscale("--url", system.url, "--max-replicas", "0", PAIR)
    assert (wrong.returncode, "max_replicas" in wrong.stderr) == (2, True)
    for every_s in ("0", "-1"):
        assert autoscale("--url", system.url, "--every-s", every_s, PAIR).returncode == 2
    unknown = autoscale("--url", system.url, "nothing=model")
    assert (unknown.returncode, "nothing" in unknown.stderr) == (1, True)
