"""The containers, built and run as the README says."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flint import fmpz

from tests.containers.compose import ROOT, Compose, composed, docker
from tests.helpers import wait_until

Answer = dict[str, Any]

pytestmark = [
    pytest.mark.containers,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("engine"),
    pytest.mark.xdist_group("containers"),  # two builds at once would only wait for each other
]


def up(compose: Compose, *arguments: str, workers: int) -> None:
    """Builds and starts everything; returns when so many workers serve."""
    compose.run("up", "--detach", "--build", *arguments)
    wait_until(
        lambda: (compose.get("/load/factorization") or {}).get("workers") == workers,
        description=f"{workers} workers serve factorization",
        timeout_s=120,
    )


def ask_for_twenty(compose: Compose) -> list[str]:
    """Runs the README's example against the published port; the last line of each number."""
    ran = subprocess.run(
        [sys.executable, ROOT / "examples" / "twenty_numbers.py", compose.url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip().splitlines()[-20:]


def hard_number() -> int:
    """A number that takes about a second: a product of two primes of 29 digits."""
    number = 1
    for _ in range(2):
        while not fmpz(prime := random.randrange(10**28, 10**29)).is_probable_prime():
            pass
        number *= prime
    return number


def all_done(answers: list[Answer]) -> list[Answer]:
    """The answers when all are done, before that nothing."""
    return answers if all(answer["done"] for answer in answers) else []


def exit_codes(compose: Compose, *services: str) -> set[str]:
    """How the containers of some services ended."""
    ids = [found for service in services for found in compose.ids(service)]
    return set(docker("inspect", "-f", "{{.State.ExitCode}}", *ids).split())


def test_three_workers_answer_though_one_is_killed() -> None:
    """Twenty numbers through the published port; then twenty slow ones, one worker killed with
    tasks running: they come back within a lease, and all are answered."""
    with composed() as compose:
        up(compose, "--scale", "worker=3", workers=3)
        assert all(" = " in line and "..." not in line for line in ask_for_twenty(compose))

        numbers = [{"number": hard_number()} for _ in range(20)]
        ids = [answer["id"] for answer in compose.post(numbers)]
        wait_until(
            lambda: compose.get("/load/factorization")["running"] >= 3,
            description="every worker runs something",
            timeout_s=30,
        )
        docker("kill", compose.ids("worker")[0])
        answers = wait_until(
            lambda: all_done(compose.post(numbers)),
            description="all twenty are answered",
            timeout_s=180,
        )
        for asked, answer in zip(numbers, answers, strict=True):
            (one, _), (other, _) = answer["factorization"]
            assert one * other == asked["number"]
        assert max(compose.get(f"/tasks/{task_id}")["attempts"] for task_id in ids) == 2


def test_containers_become_healthy_and_end_in_order() -> None:
    """Docker sees health by itself; SIGTERM reaches the programs, which exit with 0."""
    with composed() as compose:
        up(compose, workers=1)
        wait_until(
            lambda: compose.health() == {"healthy"}, description="all are healthy", timeout_s=60
        )
        compose.run("stop", "redis")
        wait_until(
            lambda: "unhealthy" in compose.health(), description="unhealthy again", timeout_s=90
        )
        compose.run("start", "redis")
        wait_until(
            lambda: compose.health() == {"healthy"}, description="healthy again", timeout_s=90
        )
        compose.run("stop", "http-server", "worker")
        assert exit_codes(compose, "http-server", "worker") == {"0"}


def test_answers_outlive_every_container() -> None:
    """The append-only file is on the volume, which `down` leaves alone."""
    with composed() as compose:
        up(compose, workers=1)
        assert ask_for_twenty(compose)
        asked = {"number": hard_number()}
        (answer,) = wait_until(
            lambda: all_done(compose.post([asked])), description="it is answered", timeout_s=60
        )
        wait_until(  # Redis writes the file once a second
            lambda: (
                "aof_pending_bio_fsync:0"
                in compose.run("exec", "-T", "redis", "redis-cli", "info", "persistence")
            ),
            description="the file is written",
        )
        compose.run("down")
        up(compose, workers=1)
        assert compose.get(f"/tasks/{answer['id']}")["factorization"] == answer["factorization"]


def test_distributed_form() -> None:
    """One worker service per task type, scaled by itself."""
    with composed(ROOT / "docker-compose.distributed.yml") as compose:
        up(compose, "--scale", "worker-factorization=2", workers=2)
        assert all(" = " in line and "..." not in line for line in ask_for_twenty(compose))
        assert len(compose.ids("worker-factorization")) == 2


@pytest.mark.parametrize("flag", ["--distributed", "--ordered"])
def test_flags_at_the_ends_of_the_commands(flag: str, tmp_path: Path) -> None:
    """Another queue mode is a flag more in two lines of docker-compose.yml."""
    text = (ROOT / "docker-compose.yml").read_text()
    for program in ("http_server", "worker"):
        line = f"command: python -m {program}\n"
        assert line in text
        text = text.replace(line, line.replace("\n", f" {flag}\n"))
    edited = tmp_path / "docker-compose.yml"
    edited.write_text(text)
    with composed(edited) as compose:
        up(compose, workers=1)
        assert len(ask_for_twenty(compose)) == 20
        wait_until(
            lambda: compose.health() == {"healthy"}, description="all are healthy", timeout_s=60
        )


def test_every_service_gives_up_what_it_does_not_need() -> None:
    """No writing but to its volumes, no rights, none to be had; Docker enforces what is written."""
    for name in (
        "docker-compose.yml",
        "docker-compose.distributed.yml",
        "docker-compose.models.yml",
    ):
        config = subprocess.run(
            ["docker", "compose", "-f", str(ROOT / name), "config", "--format", "json"],
            capture_output=True,
            text=True,
            check=True,
        )
        for service, given in json.loads(config.stdout)["services"].items():
            assert given["read_only"] is True, (name, service)
            assert given["cap_drop"] == ["ALL"], (name, service)
            assert given["security_opt"] == ["no-new-privileges:true"], (name, service)
            assert given["pids_limit"] >= 128, (name, service)
    with composed() as compose:
        up(compose, workers=1)
        for service in ("redis", "http-server", "worker"):
            status = compose.run("exec", "-T", service, "cat", "/proc/1/status")
            assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), service
            assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE), service
            assert not re.search(r"^Uid:\s+0\s", status, re.MULTILINE), service
            with pytest.raises(AssertionError, match="Read-only file system"):
                compose.run("exec", "-T", service, "touch", "/etc/doneyet")
        assert len(ask_for_twenty(compose)) == 20
