"""`doneyet autoscale` on a real engine: a burst brings containers, its end takes them away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from doneyet.client import Client
from tests.containers.compose import ROOT, Compose, composed
from tests.containers.test_compose import all_done, up
from tests.helpers import wait_until

FILE = ROOT / "docker-compose.distributed.yml"
SERVICE = "worker-factorization"
MOST = 3
TASKS = 2000
PRIMES = (10_000_000_000_000_061, 10_000_000_000_000_069)  # their product takes some 20 ms
QUICK = [
    *("--every-s", "1", "--window-s", "3", "--upscale-stabilization-period-s", "2"),
    *("--downscale-stabilization-period-s", "10", "--max-downscale-factor", "0.3"),
    *("--target-in-flight", "100", "--max-replicas", str(MOST)),
]

pytestmark = [
    pytest.mark.containers,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("engine"),
    pytest.mark.xdist_group("containers"),
]


@contextmanager
def autoscaled(compose: Compose) -> Iterator[list[str]]:
    """The command, until it is told to end; then what it said."""
    pair = f"factorization={SERVICE}"
    command = [sys.executable, "-m", "doneyet", "autoscale", "--url", compose.url, pair]
    environ = {**os.environ, "COMPOSE_PROJECT_NAME": compose.project}
    environ["HTTP_PORT"] = str(compose.port)
    running = subprocess.Popen(
        [*command, "--compose", str(FILE), *QUICK],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    try:
        yield said
    finally:
        running.terminate()
        said.append(running.communicate(timeout=90)[0])


def test_a_burst_to_the_most_and_back() -> None:
    """From one container to the most and back to one; no task runs twice because of it."""
    with composed(FILE) as compose:
        up(compose, "--scale", f"{SERVICE}=1", workers=1)
        numbers = [{"number": PRIMES[0] * PRIMES[1] * (n + 2)} for n in range(TASKS)]
        with autoscaled(compose) as said, Client(compose.url) as client:
            compose.post(numbers)

            def workers() -> int:
                compose.post(numbers)  # which keeps them alive
                return int(client.load("factorization")["workers"])

            wait_until(lambda: workers() == MOST, description="the most containers", timeout_s=180)
            answers = wait_until(
                lambda: all_done(compose.post(numbers)),
                description="all are answered",
                timeout_s=300,
            )
            wait_until(lambda: workers() == 1, description="one container is left", timeout_s=180)
        assert f"-> {MOST} containers" in said[0], said
        for asked, answer in zip(numbers, answers, strict=True):
            assert answer["number"] == asked["number"]
        with Client(compose.url) as client:
            attempts = {client.task(answer["id"])["attempts"] for answer in answers}
        assert attempts == {1}
