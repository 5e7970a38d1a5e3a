"""When the device's memory does not suffice for a batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


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
