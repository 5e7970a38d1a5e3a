"""How much processor time a program has used, with all that it started."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROCESSES = Path("/proc")


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
