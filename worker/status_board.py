"""What a worker process runs right now, in memory that its supervisor can read after its death."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

# 64-bit words at the start, then, joined by newlines, the ids of what runs and of what is prepared.
_READY, _BEAT, _REVOCATIONS, _SUSPECTS = range(4)
_RUNNING, _PREPARING, _ENDING, _HELD = 4, 8, 12, 13
_NUMBER, _LENGTH, _SINCE, _ALONE = range(4)
"""From `_RUNNING` and from `_PREPARING` on."""
_HEADER_BYTES = 14 * 8
_BYTES_PER_ID = 64


class Run(NamedTuple):
    """One batch that is running. `number` counts the batches of its process; `alone`: it is a
    suspect, since a process died with it before."""

    number: int
    since_ns: int
    ids: frozenset[str]
    alone: bool = False

    def running_for_s(self) -> float:
        """How long ago it began. Both processes read the machine's one monotonic clock."""
        return (time.monotonic_ns() - self.since_ns) / 1e9


class _Entry:
    """One thing that goes on, on the board. `since` is written last and cleared first, so that what
    is read while it is set, before and after, is one run."""

    def __init__(self, memory: mmap.mmap, words: memoryview, first: int, start: int) -> None:
        self._memory, self._start = memory, start
        self._words = words[first : first + 4]
        self._number = 0

    def begin(self, ids: list[str], *, alone: bool) -> None:
        text = "\n".join(ids).encode()
        self._memory[self._start : self._start + len(text)] = text
        self._number += 1
        words = self._words
        words[_NUMBER] = self._number
        words[_LENGTH] = len(text)
        words[_ALONE] = alone
        words[_SINCE] = time.monotonic_ns()

    def end(self) -> None:
        self._words[_SINCE] = 0

    @property
    def next_number(self) -> int:
        return int(self._words[_NUMBER]) + 1

    def read(self) -> Run | None:
        while since_ns := self._words[_SINCE]:
            number, length = self._words[_NUMBER], self._words[_LENGTH]
            alone = bool(self._words[_ALONE])
            text = self._memory[self._start : self._start + length]
            if (self._words[_SINCE], self._words[_NUMBER]) == (since_ns, number):
                return Run(number, since_ns, frozenset(text.decode().split("\n")), alone)
        return None

    def close(self) -> None:
        self._words.release()


class StatusBoard:
    """A few words of memory shared by one worker process, which writes, and its supervisor.

    The supervisor writes `revocations` and `takes_suspects`. Writing costs about a microsecond,
    since it happens for every batch.
    """

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, 0)
        self._words = memoryview(self._memory)[:_HEADER_BYTES].cast("Q")
        half = (len(self._memory) - _HEADER_BYTES) // 2
        self._run = _Entry(self._memory, self._words, _RUNNING, _HEADER_BYTES)
        self._preparation = _Entry(self._memory, self._words, _PREPARING, _HEADER_BYTES + half)

    @staticmethod
    def size(most_ids: int) -> int:
        """How many bytes the file needs for batches of up to `most_ids` tasks."""
        return _HEADER_BYTES + 2 * _BYTES_PER_ID * most_ids

    def begin(self, ids: list[str], *, alone: bool = False) -> None:
        """A batch begins to run."""
        self._run.begin(ids, alone=alone)

    def end(self) -> None:
        """The batch has run."""
        self._run.end()

    @contextmanager
    def preparing(self, ids: list[str]) -> Iterator[None]:
        """Meanwhile the inputs of these tasks, a batch at most, are made ready to run."""
        self.beat()
        self._preparation.begin(ids, alone=False)
        try:
            yield
        finally:
            self._preparation.end()

    @property
    def next_number(self) -> int:
        """The number that the next run will have; also right on the supervisor's side."""
        return self._run.next_number

    def set_ready(self) -> None:
        """All task types are loaded."""
        self._words[_READY] = 1

    @property
    def ready(self) -> bool:
        return bool(self._words[_READY])

    def tell_end(self, exit_code: int) -> None:
        """This process is about to end itself, with one of `worker.exit_codes`."""
        self._words[_ENDING] = exit_code

    @property
    def told_end(self) -> int:
        """What it said with `tell_end`; 0 where something else ended it, with whatever code."""
        return int(self._words[_ENDING])

    def beat(self) -> None:
        """The thread that talks to Redis is well; written at least twice a second."""
        self._words[_BEAT] = time.monotonic_ns()

    @property
    def held(self) -> int:
        """How many tasks it holds, also while their model is loaded or their device is taken."""
        return int(self._words[_HELD])

    @held.setter
    def held(self, count: int) -> None:
        self._words[_HELD] = count

    def silent_for_s(self) -> float:
        """How long ago it was well for the last time; 0 before the first time."""
        beat_ns = self._words[_BEAT]
        return (time.monotonic_ns() - beat_ns) / 1e9 if beat_ns else 0.0

    @property
    def revocations(self) -> int:
        """How often the supervisor has given back what this process had claimed and not begun."""
        return self._words[_REVOCATIONS]

    def revoke(self) -> None:
        """What is claimed and has not begun is not to begin any more: it is being given back."""
        self._words[_REVOCATIONS] += 1

    @property
    def takes_suspects(self) -> bool:
        """Whether this process may claim tasks that a process died with."""
        return bool(self._words[_SUSPECTS])

    @takes_suspects.setter
    def takes_suspects(self, may: bool) -> None:
        self._words[_SUSPECTS] = may

    def read(self) -> Run | None:
        """The batch that runs right now; None between batches."""
        return self._run.read()

    def read_preparing(self) -> Run | None:
        """The inputs that are being made ready right now; None where there are none."""
        return self._preparation.read()

    def close(self) -> None:
        self._run.close()
        self._preparation.close()
        self._words.release()
        self._memory.close()


def make_board_file(most_ids: int) -> int:
    """A file descriptor for a board, of a file without a name: gone with its last user."""
    import tempfile

    with tempfile.TemporaryFile(prefix="doneyet-board-") as file:
        file.truncate(StatusBoard.size(most_ids))
        return os.dup(file.fileno())
