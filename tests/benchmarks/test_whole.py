"""That the parts of the benchmarks fit together."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks.__main__ import TITLES
from benchmarks.drain_tasks import Noop, Number
from benchmarks.environments import REQUIREMENTS, SEED, node_version_of, version_of
from benchmarks.peers.catalog import PEERS, Peer
from benchmarks.stock import numbered


@pytest.mark.parametrize("name", TITLES)
def test_every_benchmark_says_how_it_measures(name: str) -> None:
    """Its docstring is what the document prints."""
    module = import_module(f"benchmarks.{name}")
    assert callable(module.run)
    assert len((module.__doc__ or "").splitlines()) > 1


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_is_pinned(peer: Peer) -> None:
    """The report can say which version was measured."""
    assert node_version_of(peer.name) if peer.node else version_of(peer.name)


def test_the_seed_has_an_environment_too() -> None:
    """With the server it was built on."""
    assert "waitress==" in (REQUIREMENTS / f"{SEED}.txt").read_text()


def test_stocked_inputs_are_what_the_http_server_would_submit() -> None:
    """Else polls would not meet the tasks that were put into the queue."""
    noop = Noop()
    (task,) = numbered(noop, [7])
    assert task.input == noop.canonical(Number(number=7))
    assert task.id == noop.task_id(task.input)
