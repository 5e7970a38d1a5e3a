"""The model in a loop in this process: what every server of it would like to reach."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from benchmarks.model.texts import texts, words_of
from benchmarks.model_peers.minilm import MiniLM
from doneyet.settings import Settings
from doneyet.task_types import load_registry
from doneyet.task_types.loading import load
from task_manager.values import Claim
from worker.process.batcher import make_batches

Batches = Callable[[Sequence[str]], list[list[str]]]


class ModelLoop:
    """MiniLM on `device`; batches hold at most `max_batch_size` texts."""

    def __init__(self, device: str, max_batch_size: int) -> None:
        self._model = MiniLM(device)
        self._max_batch_size = max_batch_size
        self._words = words_of(self._model.tokenizer.get_vocab())

    def texts(self, seed: int, shortest: int, longest: int) -> Iterator[str]:
        """Texts of so many words, which are as many tokens and two more."""
        return texts(self._words, seed, shortest, longest)

    def per_s(self, stock: Iterator[str], seconds: float) -> float:
        """Texts a second, full batches in the order in which they come, for so many seconds."""
        count, began_s = 0, time.perf_counter()
        while (taken_s := time.perf_counter() - began_s) < seconds:
            self._model.embed(list(islice(stock, self._max_batch_size)))
            count += self._max_batch_size
        return count / taken_s

    def per_s_in(self, stock: Sequence[str], chunk: int, batches: Batches) -> float:
        """Texts a second; of each `chunk` of the stock `batches` makes batches, untimed."""
        chunks = [stock[at : at + chunk] for at in range(0, len(stock), chunk)]
        made = [batch for each in chunks for batch in batches(each)]
        began_s = time.perf_counter()
        for batch in made:
            self._model.embed(batch)
        return len(stock) / (time.perf_counter() - began_s)


class Batcher:
    """Batches as a worker makes them of what it has claimed, by the task type called `name`."""

    def __init__(self, settings: Settings, name: str) -> None:
        registry = load_registry(settings).only([name])
        self._types = registry.types
        self._name = name
        self._type = self._types[name]
        load(self._type)

    def __call__(self, stock: Sequence[str]) -> list[list[str]]:
        """The texts of each batch."""
        inputs = [json.dumps({"text": text}).encode() for text in stock]
        claims = [
            Claim(self._type.task_id(each), self._name, each, attempts=1, alone=False)
            for each in inputs
        ]
        made = make_batches(claims, self._types)
        return [[json.loads(claim.input)["text"] for claim in batch.claims] for batch in made]
