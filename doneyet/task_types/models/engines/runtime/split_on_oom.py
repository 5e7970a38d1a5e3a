"""When the device's memory does not suffice for a batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

Part = TypeVar("Part")


@contextlib.contextmanager
def freed_when_exhausted() -> Iterator[None]:
    """Gives cached memory back before an out-of-memory error goes on.

    Whoever runs batches halves one that raises and tries again, until a single input is left; so
    the rest of the batch gets by with what there is.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise


def halved_when_exhausted(batch: Sequence[Part], compute: Callable[[Sequence[Part]], None]) -> None:
    """`compute(batch)`, or of its halves where the memory does not suffice for all of it.

    For inputs that are a batch by themselves, as the pieces of a long text are; nobody else could
    halve those.

    Raises:
        torch.OutOfMemoryError: it does not suffice for a single one.
    """
    try:
        compute(batch)
        return
    except torch.OutOfMemoryError:
        if len(batch) == 1:
            raise
    # Not within `except`: the error's frames hold what was computed.
    middle = len(batch) // 2
    halved_when_exhausted(batch[:middle], compute)
    halved_when_exhausted(batch[middle:], compute)
