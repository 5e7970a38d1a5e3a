"""`doneyet deletion-cost`, with a real system and pods that stand in a list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result

from autoscaler import pods
from autoscaler.pods import COST
from doneyet.client import Client
from doneyet.command.main import doneyet
from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.managed_process import free_port
from doneyet.local.system import System
from task_manager.owners import host
from tests.autoscaler.fake_kubernetes import Kubernetes
from tests.helpers import wait_until

SELECTOR = ("--selector", "a=b")


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubernetes]:
    """One whose pod this process is."""
    kubernetes = Kubernetes(tmp_path)
    for name, value in kubernetes.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pods, "ACCOUNT", tmp_path)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")  # not on the way to it
    yield kubernetes
    kubernetes.close()


@pytest.fixture(scope="module")
def system(redis_server: EmbeddedRedis) -> Iterator[System]:
    """One with a type whose tasks take as long as they are told."""
    tasks = {"DONEYET_TASKS": "tests.http.task_types", "DONEYET_KEY_PREFIX": "deletion-cost"}
    with System(
        queue_mode="distributed", redis_url=redis_server.url, processes=1, settings=tasks
    ) as system:
        yield system


def look(system: System) -> Result:
    """The command, once."""
    return CliRunner().invoke(
        doneyet, ["deletion-cost", "--url", system.url, *SELECTOR, "--once"], catch_exceptions=False
    )


def cost(kubernetes: Kubernetes, name: str) -> str | None:
    found: str | None = kubernetes.pods[name]["metadata"].get("annotations", {}).get(COST)
    return found


def test_idle_pods_cost_nothing_and_others_what_they_run(
    system: System, kubernetes: Kubernetes
) -> None:
    """Nobody is written to who says so already, and nobody else's pod."""
    kubernetes.add(host())
    kubernetes.add("starting")
    kubernetes.add("did-work", **{COST: "3"})
    kubernetes.add("by-hand", **{COST: "much"})
    kubernetes.add("going", **{COST: "5"})
    kubernetes.pods["going"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    kubernetes.add("other", label="c=d", **{COST: "5"})
    said = look(system)
    assert said.exit_code == 0
    assert sorted(kubernetes.patched) == ["by-hand", "did-work"]
    assert (cost(kubernetes, "did-work"), cost(kubernetes, "by-hand")) == ("0", "0")
    tasks = [{"seconds": 1.9 + n / 100} for n in range(6)]
    submitted = requests.post(f"{system.url}/sleep", json=tasks, timeout=30)
    assert submitted.ok, submitted.text
    wait_until(
        lambda: requests.get(f"{system.url}/load/sleep", timeout=30).json()["running"],
        description="one runs",
    )
    said = look(system)
    assert int(cost(kubernetes, host()) or 0) > 0
    assert said.output == f"{host()}: {cost(kubernetes, host())} running\n"
    assert cost(kubernetes, "starting") is None


def test_a_token_that_was_replaced(system: System, kubernetes: Kubernetes) -> None:
    """Is taken; Kubernetes replaces each within the hour."""
    kubernetes.add("did-work", **{COST: "3"})
    kubernetes.set_token("second")
    assert look(system).output == "did-work: 0 running\n"


def test_while_nobody_can_tell_nothing_changes(kubernetes: Kubernetes) -> None:
    """What runs may be running still."""
    kubernetes.add("did-work", **{COST: "3"})
    away = ("--url", f"http://127.0.0.1:{free_port()}", "--every-s", "0.1")
    said = CliRunner().invoke(doneyet, ["deletion-cost", *away, *SELECTOR, "--once"])
    assert said.exit_code == 0
    assert "trying again" in said.stderr
    assert kubernetes.patched == []


def test_where_some_types_are_not_known_nothing_changes(
    system: System, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of Redis is away: a pod may run what is not told."""
    monkeypatch.setattr(Client, "load", lambda _self: {"unavailable": ["sleep"]})
    kubernetes.add("did-work", **{COST: "3"})
    said = look(system)
    assert "what pods run of sleep is not known now; trying again" in said.stderr
    assert kubernetes.patched == []


def test_what_kubernetes_refuses_is_told(system: System, kubernetes: Kubernetes) -> None:
    """In its own words; a pod that has gone meanwhile is no trouble."""
    kubernetes.refuses = "pods is forbidden"
    assert "pods is forbidden; trying again" in look(system).stderr
    kubernetes.refuses = ""
    kubernetes.add("gone", **{COST: "3"})
    pod = kubernetes.pods["gone"]
    kubernetes.pods = {"another": pod}  # listed by a name that is none any more
    assert look(system).stderr == ""


def test_a_pod_that_cannot_be_told_keeps_no_other_from_it(
    system: System, kubernetes: Kubernetes
) -> None:
    """What went wrong with it is told all the same."""
    for name in ("a", "b", "c"):
        kubernetes.add(name, **{COST: "3"})
    kubernetes.refuses_pod = "a"
    said = look(system)
    assert said.stdout == "b: 0 running\nc: 0 running\n"
    assert "etcd is slow; trying again" in said.stderr


@pytest.mark.parametrize("odd", [[], {}, {"items": None}, {"items": [{}]}])
def test_an_api_that_is_none(system: System, kubernetes: Kubernetes, odd: object) -> None:
    """It is told in a line."""
    kubernetes.odd = odd
    assert "tells no pods: is it another server?; trying again" in look(system).stderr


def test_elsewhere_than_in_a_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It says so at once."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    said = CliRunner().invoke(doneyet, ["deletion-cost", *SELECTOR])
    assert (said.exit_code, "this is no pod" in said.stderr) == (2, True)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(pods, "ACCOUNT", tmp_path)
    said = CliRunner().invoke(doneyet, ["deletion-cost", *SELECTOR])
    assert (said.exit_code, "no pod with a service account" in said.stderr) == (2, True)
