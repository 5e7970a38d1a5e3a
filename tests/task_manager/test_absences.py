"""Which nodes of a cluster are left alone, and for how long."""

from __future__ import annotations

import threading

from task_manager.redis.absences import Absences
from tests.helpers import wait_until


def test_a_node_is_left_alone_until_it_is_back() -> None:
    """A thread looks, which raises what nobody hears, and ends when none is away."""
    back = threading.Event()

    def is_over(name: str) -> bool:
        if name == "broken" and not back.is_set():
            raise RuntimeError("no route")
        return back.is_set()

    absences = Absences(is_over)
    for name in ("silent", "broken", "silent"):
        absences.add(name)
    assert "silent" in absences
    assert "broken" in absences
    assert "well" not in absences
    assert len(_threads()) == 1
    back.set()
    wait_until(lambda: "silent" not in absences, description="it is back")
    wait_until(lambda: not _threads(), description="nobody looks")
    absences.add("silent")
    wait_until(lambda: "silent" not in absences, description="it is back again")


def test_nobody_looks_for_who_has_closed() -> None:
    """Whatever is away."""
    absences = Absences(lambda _name: False)
    absences.add("gone")
    absences.close()
    wait_until(lambda: not _threads(), description="nobody looks")
    absences.add("another")
    assert not _threads()


def _threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "absent-nodes"]
