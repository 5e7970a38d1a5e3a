"""Task types whose tasks wait in several queues, since one node of a cluster is not enough.

Which queue a task waits in follows from its id. To a manager of the queue mode each queue is a type
of its own, whose keys share a hash tag, so each may be on another node. The first one is called as
the type is, so that programs which know nothing of the others meet there; the rest are named so
that their slots divide all slots evenly. Where each node has as many slots as every other, and in
one piece, each gets a queue.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import cast

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings
from task_manager.values import Limits, Load

SLOTS = 16384
"""Of every cluster."""
MOST_QUEUES = 64
_NEAR = 32  # a slot may be off by one in so many of the distance between two queues


def split_types(settings: Settings) -> dict[str, int]:
    """How many queues each type has that `DONEYET_SPLIT_TYPES` names.

    Raises:
        SettingError: it cannot be read.
    """
    found: dict[str, int] = {}
    for each in filter(None, (part.strip() for part in settings.split_types.split(","))):
        name, _, count = each.rpartition("=")
        if not (name and count.isdecimal() and 2 <= int(count) <= MOST_QUEUES):
            raise SettingError(
                f"{env_name('split_types')} takes task types with a number of queues from 2 to "
                f"{MOST_QUEUES}, such as minilm=4, not {each!r}"
            )
        if name in found:
            raise SettingError(f"{env_name('split_types')} has {name!r} twice")
        found[name] = int(count)
    return found


def split_limits(settings: Settings, limits: Mapping[str, Limits]) -> dict[str, Limits]:
    """The limits of each queue, by its name, where `settings` split some of these types.

    Raises:
        SettingError: they cannot be split.
    """
    check_queue_mode(settings)
    counts = split_types(settings)
    of_queues: dict[str, Limits] = {}
    for name, own in limits.items():
        count = counts.get(name, 1)
        if count > 1 and own.coordinated:
            raise SettingError(
                f"{env_name('split_types')} names {name!r}, whose tasks supervisors run themselves;"
                " such types cannot be split"
            )
        for queue in queue_names(name, count):
            of_queues[queue] = own if count == 1 else cast("Limits", QueueLimits(own, count))
    return of_queues


def check_queue_mode(settings: Settings) -> None:
    """Does nothing where types can be split, or none is to be.

    Raises:
        SettingError: the queue mode keeps them together.
    """
    if settings.split_types and (settings.queue_mode != "distributed" or settings.pick == "oldest"):
        raise SettingError(
            f"{env_name('split_types')} needs the distributed queue mode "
            f"({env_name('queue_mode')}) and no --pick oldest: which of two tasks came first is "
            "known of one queue only"
        )


def check_split_types(settings: Settings, limits: Mapping[str, Limits]) -> None:
    """Does nothing where all types that are split are among these, and can be.

    Raises:
        SettingError: there is another one, or one cannot be split.
    """
    check_queue_mode(settings)
    unknown = split_types(settings).keys() - limits.keys()
    if unknown:
        raise SettingError(
            f"{env_name('split_types')} names {min(unknown)!r}, which is not among the task types: "
            f"{', '.join(sorted(limits))}"
        )
    split_limits(settings, limits)


class QueueLimits:
    """The limits of one of `count` queues of a type, whose own are `limits`.

    The number is a part of the version: programs that differ in it would look for tasks in
    different places, so they are kept apart as those of different versions are, and told of.
    """

    def __init__(self, limits: Limits, count: int) -> None:
        self._limits, self._count = limits, count

    @property
    def version(self) -> str:
        return self._limits.version + version_suffix(self._count)

    @property
    def input_ttl_s(self) -> float | None:
        return self._limits.input_ttl_s

    @property
    def failure_ttl_s(self) -> float | None:
        return self._limits.failure_ttl_s

    @property
    def max_attempts(self) -> int | None:
        return self._limits.max_attempts

    @property
    def max_load(self) -> int | None:
        most = self._limits.max_load
        return None if most is None else share(most, self._count)

    @property
    def coordinated(self) -> bool:
        return self._limits.coordinated


def version_suffix(count: int) -> str:
    """What the version of each queue of a type ends with."""
    return f" in {count} queue{'s' if count > 1 else ''}"


def told_version(version: str, count: int) -> str:
    """How the version of a queue is told to who has `count` of them: as that of the type, or with
    the number where that is another one."""
    if version.endswith(version_suffix(count)):
        return version.removesuffix(version_suffix(count))
    return version if _COUNTED.search(version) else version + version_suffix(1)


_COUNTED = re.compile(r" in (\d+) queues$")


def queue_in_version(name: str, version: str, task_id: str) -> str:
    """Where a task of a type waits, in the version of a queue that is called as its type."""
    return queue_of(queues_in_version(name, version), task_id)


def queues_in_version(name: str, version: str) -> Sequence[str]:
    """The queues of a type, in the version of one that is called as the type."""
    found = _COUNTED.search(version)
    count = int(found[1]) if found else 1
    return queue_names(name, count) if 1 < count <= MOST_QUEUES else (name,)


def summed_load(name: str, loads: Sequence[Load]) -> Load:
    """Of a type, whose queues have these loads; all workers serve each."""
    return Load(
        name,
        sum(load.waiting for load in loads),
        sum(load.running for load in loads),
        max(load.workers for load in loads),
        loads[0].version,
        any(load.paused for load in loads),
    )


def share(number: int, count: int) -> int:
    """What each of `count` queues gets of a limit, at least 1; 0 stays 0."""
    return -(-number // count)


def queue_of(queues: Sequence[str], task_id: str) -> str:
    """Where a task waits, of the queues of its type."""
    return queues[zlib.crc32(task_id.encode()) % len(queues)]


@cache
def queue_names(name: str, count: int) -> tuple[str, ...]:
    """What the queues of a type are called; `name` alone where there is one."""
    if count == 1:
        return (name,)
    from redis.crc import key_slot  # which servers without Redis do not have

    first, apart = key_slot(name.encode()), SLOTS / count
    names = [name]
    for place in range(1, count):
        wanted = round(first + place * apart) % SLOTS
        number = place
        while _distance(key_slot(f"{name}#{number}".encode()), wanted) > apart / _NEAR:
            number += count
        names.append(f"{name}#{number}")
    return tuple(names)


def first_queue(queue: str) -> str:
    """That of the type whose queue this is, which is called as the type; no type has a # in its
    name."""
    return queue.partition("#")[0]


def _distance(one: int, other: int) -> int:
    return min((one - other) % SLOTS, (other - one) % SLOTS)
