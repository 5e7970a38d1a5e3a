"""Memory that the C library gives back to the machine."""

from __future__ import annotations

import ctypes

_MOST_ARENAS = 2
_MAPPED_ABOVE_BYTES = 256 * 1024
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of glibc's malloc.h


def keep_heap_small() -> None:
    """Has glibc share few heaps among all threads, and map large blocks, which are given back when
    they are freed. By itself it makes eight heaps per core and keeps what was freed in each."""
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_ARENA_MAX, _MOST_ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_ABOVE_BYTES)


def give_back() -> None:
    """Returns what glibc keeps of freed memory to the machine."""
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
