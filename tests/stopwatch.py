"""How long something took, judged by how busy the machine was meanwhile."""

from __future__ import annotations

import threading
import time

SAMPLE_S = 0.02
PAUSE_S = 0.2
LONGEST_S = 120.0
"""After which a stopwatch that nobody asked stops looking."""


class Stopwatch:
    """For promises of the form "within a second", which a busy machine can keep for nobody.

    Runs from the moment it is made. Meanwhile it looks how much longer than on a quiet machine a
    bit of work takes: how busy the machine was before or is afterwards says little about a
    moment in which five other programs started.
    """

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._took_s = 0.0
        self._allowed_s = 0.0
        self._stopped = threading.Event()
        self._contention: list[float] = []
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    @property
    def s(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._began_s

    def within_s(self, quiet_s: float, took_s: float | None = None) -> bool:
        """Whether no more than `quiet_s` went by, or as much more as the machine was busier.

        `took_s`: of a part of that time, where it is the part that was promised.

        Where two programs want each processor, a chain of a few processes takes about three times
        as long. To be asked once.
        """
        self._took_s = self.s if took_s is None else took_s
        self._stopped.set()
        self._thread.join()
        contention = sum(self._contention) / len(self._contention)
        self._allowed_s = quiet_s * max(1.0, 2 * contention - 1)
        return self._took_s < self._allowed_s

    def __repr__(self) -> str:
        return f"took {self._took_s:.2f} s where {self._allowed_s:.2f} s were allowed"

    def _look(self) -> None:
        while not self._contention or (not self._stopped.wait(PAUSE_S) and self.s < LONGEST_S):
            began_s, used_s = time.monotonic(), time.thread_time()
            while time.thread_time() - used_s < SAMPLE_S:
                pass
            self._contention.append((time.monotonic() - began_s) / SAMPLE_S)
