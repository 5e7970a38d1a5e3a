"""A node that has no replica goes away: what other nodes have goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from doneyet.local.system import System
from task_manager.split_queues import queue_names, queue_of
from tests.helpers import wait_until
from tests.several.asking import Asking
from tests.several.cluster import Cluster, Node, cluster
from tests.stopwatch import Stopwatch

AWAY, OTHERS = "first", ("second", "third")
SETTINGS = {
    "DONEYET_TASKS": "tests.several.several_tasks",
    "DONEYET_LEASE_S": "2",
    "DONEYET_INPUT_TTL_S": "15",
    "DONEYET_LOG_LEVEL": "warning",
}
USUAL_S = 3.0
"""No answer of the other types takes longer: one call waits for the node, at most twice."""


@pytest.fixture(scope="module")
def started() -> Iterator[Cluster]:
    """Three nodes with slots and no replica, that answer while another is away."""
    with cluster(options=("--cluster-require-full-coverage", "no")) as made:
        made.fail_after(1000)
        yield made


def kill(node: Node) -> None:
    """As a machine that lost power: whoever connects is refused."""
    node.server.kill()


def freeze(node: Node) -> None:
    """As a machine that is gone: nobody hears anything."""
    os.kill(node.server.pid, signal.SIGSTOP)


def restart(node: Node) -> None:
    """It comes back, with nothing in it."""
    node.server.start()


def thaw(node: Node) -> None:
    """It goes on."""
    os.kill(node.server.pid, signal.SIGCONT)


def more_are_answered(asking: Asking, count: int = 200) -> None:
    """From now on."""
    before = asking.answered
    wait_until(lambda: asking.answered > before + count, description="more are answered")


@pytest.mark.parametrize(("goes", "comes"), [(kill, restart), (freeze, thaw)])
def test_types_on_other_nodes_are_answered(
    nodes: Cluster, goes: Callable[[Node], None], comes: Callable[[Node], None]
) -> None:
    """By the same server and the same worker, all the while; then all is answered."""
    away = nodes.owner(f"{{{AWAY}}}")
    with System(
        queue_mode="distributed", redis_url=nodes.url, processes=2, settings=SETTINGS
    ) as system:
        asking, others = Asking(system.url, AWAY), Asking(system.url, *OTHERS)
        more_are_answered(asking)
        more_are_answered(others)
        goes(away)
        try:
            others.longest_s, stopwatch = 0.0, Stopwatch()
            wait_until(lambda: asking.statuses[503] > 5, description="it is away")
            for _ in range(4):
                more_are_answered(others)
                _is_told_as_it_is(system.url)
            assert stopwatch.within_s(USUAL_S, others.longest_s), stopwatch
            assert set(others.statuses) <= {200, 202}, others.statuses
        finally:
            comes(away)
        more_are_answered(asking)
        more_are_answered(others)
        asking.finish()
        others.finish()
        system.check()
        wait_until(lambda: _load(system.url)["load"] == 0, description="nothing is left")


@pytest.mark.parametrize(("goes", "comes"), [(kill, restart), (freeze, thaw)])
def test_a_split_type_goes_on_in_its_other_queues(
    nodes: Cluster, goes: Callable[[Node], None], comes: Callable[[Node], None]
) -> None:
    """One node has a part of it; the others go on by the same worker, and then all is answered."""
    name = OTHERS[0]
    queues = queue_names(name, 3)
    away = nodes.owner(f"{{{name}}}")
    assert len({nodes.owner(f"{{{queue}}}").id for queue in queues}) == 3
    settings = {**SETTINGS, "DONEYET_SPLIT_TYPES": f"{name}=3"}
    with System(
        queue_mode="distributed", redis_url=nodes.url, processes=1, settings=settings
    ) as system:
        url = f"{system.url}/{name}"
        first = {n: _asked(url, n).json()["id"] for n in range(30)}
        there = [n for n in first if queue_of(queues, first[n]) != name]
        assert 0 < len(there) < 30
        goes(away)
        try:
            wait_until(
                lambda: {_asked(url, n).status_code for n in first} >= {503},
                description="it is away",
            )
            longest_s, stopwatch = 0.0, Stopwatch()
            for n in there:
                began_s = time.monotonic()
                told = _asked(url, n, **{"Cache-Control": "no-cache"})
                assert (told.status_code, told.json()["square"]) == (200, n**2), told.text
                longest_s = max(longest_s, time.monotonic() - began_s)
            assert stopwatch.within_s(USUAL_S, longest_s), stopwatch
            load = requests.get(f"{system.url}/load", timeout=10).json()
            assert load["unavailable"] == sorted({name, *_types_at(nodes, away)})
        finally:
            comes(away)
        for n in first:
            wait_until(
                lambda n=n: _asked(url, n).status_code == 200,  # type: ignore[misc]
                description="it is answered",
            )
        system.check()


def _asked(url: str, n: int, **headers: str) -> requests.Response:
    held = {"Prefer": "wait=5", **headers}
    return requests.post(url, json={"n": n}, headers=held, timeout=30)


def _types_at(nodes: Cluster, node: Node) -> list[str]:
    return [name for name in (AWAY, *OTHERS) if nodes.owner(f"{{{name}}}").id == node.id]


def _load(url: str) -> dict[str, object]:
    got: dict[str, object] = requests.get(f"{url}/load", timeout=10).json()
    return got


def _is_told_as_it_is(url: str) -> None:
    """What is not known is said to be so, and the rest is told."""
    assert requests.get(f"{url}/readyz", timeout=10).status_code == 200
    load = requests.get(f"{url}/load", timeout=10).json()
    assert load["unavailable"] == [AWAY]
    assert load["load"] is None
    assert set(load["types"]) == set(OTHERS)
    assert requests.get(f"{url}/load/{AWAY}", timeout=10).status_code == 503
    assert requests.get(f"{url}/load/{OTHERS[0]}", timeout=10).json()["workers"] == 2
    assert requests.get(f"{url}/tasks", timeout=10).json()["unavailable"] == [AWAY]
    assert requests.get(f"{url}/tasks?type={AWAY}", timeout=10).status_code == 503
    assert requests.get(f"{url}/workers", timeout=10).json()["unavailable"] == [AWAY]
    assert requests.get(f"{url}/history", timeout=10).json()["unavailable"] == [AWAY]
    metrics = requests.get(f"{url}/metrics/queue", timeout=10).text
    assert f'doneyet_tasks{{state="waiting",type="{AWAY}"}}' not in metrics
    assert f'doneyet_tasks{{state="waiting",type="{OTHERS[0]}"}}' in metrics
