"""Memory that one batch has freed stays for the next one."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_* of malloc.h
KEPT_BYTES = 1 << 30
LARGEST_KEPT_BYTES = 32 << 20  # glibc takes no more here


def keep_freed_memory() -> None:
    """Has this process keep up to 1 GiB that it freed, in blocks of up to 32 MiB.

    By default glibc gives the memory of a batch's intermediate results back to the system, which
    hands it out again, page by page and cleared, for the next batch: a tenth of MiniLM's time on a
    processor. Nothing where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
