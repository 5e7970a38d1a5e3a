"""What is decided is carried out: by a `docker` that keeps containers in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.compose import Compose, ComposeError, Container
from autoscaler.policy import TO_ZERO_AFTER_S, Autoscaler, Policy
from autoscaler.scaler import Load, Scaler
from tests.autoscaler.fake_docker import Docker
from tests.helpers import wait_until

AT_ONCE = {"window_s": 0.0, "downscale_stabilization_period_s": 0.0}


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Docker]:
    """One without containers."""
    monkeypatch.setenv("DOCKER_STATE", "")
    docker = Docker(tmp_path)
    yield docker
    for compose in docker.uses:
        compose.close()


class Site:
    """A service that is scaled, and the load that it is told of."""

    def __init__(self, docker: Docker, **policy: Any) -> None:
        self.load: Load | None = Load(0, 0, {})
        chosen = Policy(
            **{"min_replicas": 0, "upscale_stabilization_period_s": 0.0, **AT_ONCE, **policy}
        )
        self.compose = Compose(["a.yml", "b.yml"], str(docker.path))
        docker.uses.append(self.compose)
        self.scaler = Scaler("model", Autoscaler(chosen), self.compose, lambda: self.load)
        self.now_s = 0.0

    def look(self, after_s: float = 5.0) -> tuple[int, int]:
        """Once more."""
        self.now_s += after_s
        return tuple(self.scaler.look(self.now_s))  # type: ignore[return-value]


def test_from_nothing_to_many_and_back(docker: Docker) -> None:
    """The first comes at once, others by the factor; idle ones go, those that run one stay."""
    site = Site(docker, max_upscale_factor=2, max_downscale_factor=0.0)
    assert site.look() == (0, 0)
    assert "up" not in docker.state["said"][-1]
    site.load = Load(9, 0, {})
    assert site.look() == (0, 1)
    said = docker.state["said"][-1]
    assert (
        said
        == "compose -f a.yml -f b.yml up --detach --no-deps --no-recreate --scale model=1 model"
    )
    assert site.look() == (1, 2)
    assert site.look() == (2, 4)
    hosts = {f"{n:012x}": 0 for n in (1, 2, 3)}
    site.load = Load(0, 1, {**hosts, f"{2:012x}": 1})  # the fourth is starting
    assert site.look() == (4, 1)
    wait_until(
        lambda: site.look(0.0) == (1, 1) and docker.there() == ["p-model-2"],
        description="what drained is removed",
    )
    site.load = Load(0, 0, hosts)
    assert site.look() == (1, 1)
    assert site.look(TO_ZERO_AFTER_S) == (1, 0)


def test_those_that_drain_are_no_capacity(docker: Docker) -> None:
    """They finish what they run; whoever is wanted meanwhile comes besides them."""
    site = Site(docker, max_upscale_factor=2, max_downscale_factor=0.0)
    site.load = Load(2, 0, {})
    site.look()
    site.look()
    assert len(docker.there()) == 2
    docker.busy.touch()
    site.load = Load(0, 1, {f"{1:012x}": 1, f"{2:012x}": 0})
    assert site.look() == (2, 1)
    site.load = Load(1, 1, {f"{1:012x}": 1})
    assert site.look() == (1, 2)
    assert len(docker.there()) == 3
    docker.busy.unlink()


def test_what_did_not_drain_is_not_removed(docker: Docker) -> None:
    """Where `docker stop` broke off, as when Docker itself is restarted: it may run something. It
    counts again, and drains when it is told to once more. Ctrl-C does not reach `docker stop`."""
    docker.change(there={"p-model-1": ["a" * 12, "running"]})
    compose = Compose(["a.yml"], str(docker.path))
    docker.busy.touch()
    compose.stop(["p-model-1"])
    (stopping,) = compose._draining.values()
    assert os.getpgid(stopping.pid) != os.getpgid(0)
    assert compose.containers("model") == []
    stopping.kill()
    stopping.wait()
    assert compose.containers("model") == [Container("p-model-1", "a" * 12)]
    docker.busy.unlink()
    compose.stop(["p-model-1"])
    compose.close()
    assert docker.there() == []


def test_where_nobody_can_tell_nothing_changes(docker: Docker) -> None:
    """While the server or Redis is away."""
    site = Site(docker)
    site.load = Load(1, 0, {})
    site.look()
    site.load = None
    for _ in range(3):
        assert site.look(TO_ZERO_AFTER_S) == (1, 1)


def test_how_long_it_takes_until_a_worker_is_ready(docker: Docker) -> None:
    """From when its container was first seen until it has workers."""
    site = Site(docker)
    site.look()
    site.load = Load(1, 0, {})
    site.look()
    for _ in range(6):
        site.look()
    site.load = Load(1, 0, {f"{1:012x}": 0})
    site.look()
    assert site.scaler.load_time_s == pytest.approx(30, abs=5)


def test_older_versions_print_one_array(docker: Docker) -> None:
    """Of Compose."""
    docker.change(
        old=True, there={"p-model-1": ["a" * 12, "running"], "p-model-2": ["b" * 12, "exited"]}
    )
    compose = Compose(["a.yml"], str(docker.path))
    assert compose.containers("model") == [Container("p-model-1", "a" * 12)]


def test_what_docker_says_is_told(docker: Docker) -> None:
    """Which command, and its last words; or that there is none."""
    docker.change(refuse="no space left on device")
    with pytest.raises(ComposeError, match=r"compose -f a.yml ps .* no space left on device"):
        Compose(["a.yml"], str(docker.path)).containers("model")
    with pytest.raises(ComposeError, match="cannot be run"):
        Compose(["a.yml"], "/nowhere/docker").containers("model")
