"""How much processor time a program has used, with all that it started."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROCESSES = Path("/proc")
_PROCESS_CLOCK = 2
"""As `clock_getcpuclockid` makes a clock of a process on Linux: what its threads used."""


def family(pid: int) -> list[int]:
    """A process and all that descend from it now, on Linux."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended meanwhile
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def exactly_used_s(pids: Sequence[int]) -> float:
    """Seconds of processor of these processes, to the microsecond, on Linux; nothing of others may
    end meanwhile: for short times, where ticks of 10 ms are too coarse."""
    return sum(time.clock_gettime(~pid << 3 | _PROCESS_CLOCK) for pid in pids)


def used_s(pid: int) -> float:
    """Seconds of processor of `pid` and its descendants, those that have ended included.

    Nought where the system has no /proc.
    """
    parents: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for folder in _PROCESSES.glob("[0-9]*"):
        try:
            # The name of the program, in parentheses, may hold anything.
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents.setdefault(int(fields[1]), []).append(int(folder.name))
        ticks[int(folder.name)] = sum(map(int, fields[11:15]))
    total, family = 0, [pid]
    while family:
        each = family.pop()
        total += ticks.get(each, 0)
        family += parents.get(each, [])
    return total / _TICKS_PER_S
