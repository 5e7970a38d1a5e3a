"""The loop that servers are held to, and the batches that they make, on real weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.model.loop import Batcher
from benchmarks.model.servers import ARRIVAL, GROUPED, settings_of_doneyet
from benchmarks.model_peers.minilm import MiniLM
from doneyet.settings import Settings
from doneyet.task_types import load_registry
from doneyet.task_types.loading import load
from doneyet.task_types.run_batch import run_batch

SHORT, LONG = "a few words", "word " * 60
TEXTS = [SHORT, LONG, SHORT + " more", LONG + "more"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """What doneyet is started with; torch has as many threads afterwards as before."""
    threads = torch.get_num_threads()
    folder: Path = tmp_path_factory.mktemp("models")
    yield settings_of_doneyet("redis://localhost", folder, "cpu", max_batch_size=2)
    torch.set_num_threads(threads)


def test_everybody_computes_the_same_vectors(settings: Settings) -> None:
    """Rates of different answers could not be compared; texts that are cut included."""
    texts = [*TEXTS, "very " * 400]
    model = load_registry(settings).types[GROUPED]
    load(model)
    answers = run_batch(model, [json.dumps({"text": text}).encode() for text in texts])
    ours: Any = torch.tensor([json.loads(answer.body)["vector"] for answer in answers])
    theirs = torch.tensor(MiniLM("cpu").vectors(texts))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_batches_are_those_of_a_worker(settings: Settings) -> None:
    """Grouped by length, or as they come, for the two task types that are measured."""
    grouped = Batcher(settings, GROUPED)(TEXTS)
    assert sorted(map(sorted, grouped)) == sorted(map(sorted, [TEXTS[0::2], TEXTS[1::2]]))
    in_order = Batcher(settings, ARRIVAL)(TEXTS)
    assert sorted(map(sorted, in_order)) == sorted(map(sorted, [TEXTS[:2], TEXTS[2:]]))
