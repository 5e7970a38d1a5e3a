"""A thread for jobs, against a task manager in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from task_manager.values import Claim
from tests.helpers import wait_until
from tests.worker.fake_manager import FakeManager
from worker.jobs.completions import ItemCompletions
from worker.jobs.job_thread import Slot


class Stopping(FakeManager):
    """Tells `stop` just when a claim has been made."""

    stop: Callable[[], None]

    def claim(self, owner: str, types: Sequence[str], limit: int, **options: Any) -> list[Claim]:  # type: ignore[override]
        claims = super().claim(owner, types, limit, **options)
        self.stop()
        return claims


def test_what_is_claimed_while_it_stops_goes_back_unbegun() -> None:
    """It is not even looked at; the thread ends."""
    manager, nothing = Stopping(), threading.Event()
    unused: Any = None
    slot = Slot(
        "me",
        manager,
        unused,
        registry=unused,
        served={"batch": unused},
        completions=ItemCompletions(),
        register=lambda *_: nothing.set(),
    )
    manager.stop = slot.stop
    manager.add("batch", "j")
    slot.start()
    wait_until(lambda: not slot.alive, description="it ends")
    assert [claim.id for claim in manager.waiting] == ["j"]
    assert not manager.held
    assert not nothing.is_set(), "its claims were ended, since it failed"
