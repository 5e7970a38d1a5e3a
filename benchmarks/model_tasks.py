"""A stand-in for a model: it takes long, batches, and computes outside of the interpreter lock."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from benchmarks.drain_tasks import Answer, Number
from tasks import TaskType

ROUNDS_PER_INPUT = 1500
"""About half a millisecond of hashing."""


class Model(TaskType):
    """Hashes long for each input of a batch, in one call, as a model computes a batch."""

    name, endpoint = "model", "/model"
    Input, Output = Number, Answer
    max_batch_size = 32

    def run(self, inputs: Sequence[Number]) -> list[Answer]:
        """Something that depends on the input."""
        text = repr([item.number for item in inputs]).encode()
        digest = hashlib.pbkdf2_hmac("sha256", text, b"model", ROUNDS_PER_INPUT * len(inputs))
        return [Answer(answer=item.number + digest[0]) for item in inputs]
