"""A worker of its own for a model, as a container has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from doneyet.client import Client
from doneyet.local.system import System


@pytest.mark.parametrize("queue_mode", ["distributed", "ordered"])
def test_a_worker_loads_its_own_model_only(models: Path, queue_mode: str) -> None:
    """What others would load need not even be there; and their tasks go on waiting."""
    table = (models / "models.toml").read_text() + '\n[embedding.gone]\nmodel = "./nowhere"\n'
    (models / f"{queue_mode}.toml").write_text(table)
    with System(
        queue_mode=queue_mode,
        processes=1,
        settings={"DONEYET_MODELS": str(models / f"{queue_mode}.toml")},
        worker_arguments=["--types", "embedding/bert"],
    ) as own:
        with Client(own.url) as client:
            assert len(client.run("embed", text="the cat")["vector"]) == 32
        load = requests.get(f"{own.url}/load", timeout=10).json()["types"]
        assert load["embedding/bert"]["workers"] == 1
        assert load["embedding/gone"]["workers"] == 0
        waiting = requests.post(
            f"{own.url}/embed", json={"text": "the cat", "model": "gone"}, timeout=10
        )
        assert (waiting.status_code, waiting.json()["status"]) == (202, "waiting")


def test_synchronous(models: Path) -> None:
    """Without Redis the server's own thread computes, and jobs are not offered."""
    (models / "one.toml").write_text('[embedding.bert]\nmodel = "./encoder"\n')
    settings = {
        "DONEYET_MODELS": str(models / "one.toml"),
        "DONEYET_TASKS": "factorization,regression",
        "DONEYET_STORAGE": str(models),
    }
    with System(queue_mode="synchronous", settings=settings) as own:
        reply = requests.post(f"{own.url}/embed", json={"text": "the cat"}, timeout=30)
        assert len(reply.json()["vector"]) == 32
        assert requests.post(f"{own.url}/batch", json={}, timeout=10).status_code == 404
