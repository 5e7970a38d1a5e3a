"""Who waits for which tasks, and of whose tasks there was news.

How many may wait is counted in places. A request takes one, and a large array more: one for each
`TASKS_PER_PLACE` tasks or `BYTES_PER_PLACE` of inputs, whichever is more. So the memory that all
held requests keep is bounded, whatever is in them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from http_server.submit.chain import Outcome, ParsedTask, is_final
from http_server.submit.completions import News
from http_server.submit.wake import Wake

TASKS_PER_PLACE = 25
BYTES_PER_PLACE = 64 * 1024


def places(tasks: int, size_bytes: int) -> int:
    """What a request takes that waits for so many tasks and keeps so many bytes."""
    return max(1, math.ceil(tasks / TASKS_PER_PLACE), math.ceil(size_bytes / BYTES_PER_PLACE))


class Held:
    """One held request."""

    __slots__ = ("_room", "leads", "places", "sleeps", "tasks", "unheard", "wake")

    def __init__(self, room: WaitingRoom) -> None:
        self._room = room
        self.places = 0
        self.tasks: Sequence[ParsedTask] = ()
        self.unheard: set[str] = set()
        """The ids among `tasks` of which there was no news yet."""
        self.sleeps = False
        self.leads = False
        """It is to fetch the answers of all that are ready."""
        self.wake = Wake()

    def sleeps_on(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether these are nothing to be woken for; then it sleeps as in `WaitingRoom.wait`."""
        return not any(map(is_final, outcomes)) and self._room.lets_sleep(self)


class WaitingRoom:
    """Everybody who waits, by task id; at most `most` places are taken."""

    def __init__(self, news: News, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._by_id: dict[str, set[Held]] = {}
        self._held: set[Held] = set()
        self._ready: list[Held] = []
        """Those that sleep, though there was news of all that they wait for."""
        self._led = False
        self._taken = 0
        self.draining = False
        news.tell(self._hear, self.wake_all)

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def enter(self, places: int) -> Iterator[Held | None]:
        """So many places to wait in; None when fewer are free or the server drains."""
        held = Held(self)
        admitted = self.widen(held, places)
        try:
            yield held if admitted else None
        finally:
            with self._lock:
                self._held.discard(held)
                self._taken -= held.places
                self._unexpect(held, list(held.unheard))
                held.sleeps = False
                if held.leads:  # the time was up before it knew
                    held.leads = self._led = False
                    self._announce([])

    def widen(self, held: Held, places: int) -> bool:
        """Gives `held` so many more places; False when fewer are free or the server drains."""
        with self._lock:
            if self.draining or self._taken + places > self._most:
                return False
            self._held.add(held)
            self._taken += places
            held.places += places
            return True

    def drain(self) -> None:
        """Lets nobody in any more and sends everybody off."""
        with self._lock:
            self.draining = True
        self.wake_all()

    def wake_all(self) -> None:
        """Everybody looks again: news may have been missed."""
        with self._lock:
            for held in self._held:
                held.wake.set()

    def expect(self, held: Held, tasks: Sequence[ParsedTask]) -> None:
        """`held` waits for news of `tasks`; call it before submitting them, or some is missed."""
        with self._lock:
            self._unexpect(held, list(held.unheard))
            held.tasks, held.unheard = tasks, {task.id for task in tasks}
            for task_id in held.unheard:
                self._by_id.setdefault(task_id, set()).add(held)

    def lets_sleep(self, held: Held) -> bool:
        """Whether `held`, whose thread sleeps, may sleep on until there is news of all its tasks;
        not if there was. What it then has submitted for it is `awaited`."""
        awaited = [task.as_awaited() for task in held.tasks]
        with self._lock:
            if self.draining or not held.unheard:
                return False
            held.tasks, held.sleeps = awaited, True
            return True

    def wait(self, held: Held, tasks: Sequence[ParsedTask], timeout_s: float) -> None:
        """Sleeps until there is a reason to submit `tasks`, what is left of those expected, again:
        their answers were fetched, or `held` is to fetch them since it leads, or news was lost."""
        ids = {task.id for task in tasks}
        with self._lock:
            held.tasks, held.sleeps = tasks, not self.draining
            self._unexpect(held, [task_id for task_id in held.unheard if task_id not in ids])
            if not (held.unheard or held.wake.is_set()):
                self._announce([held])
        if held.sleeps:
            held.wake.wait(timeout_s)
        with self._lock:
            held.sleeps = False
            held.wake.clear()

    def ready(self) -> list[Held]:
        """Whose answers the one that leads is to fetch; itself may be among them."""
        with self._lock:
            ready, self._ready = self._ready, []
            return ready

    def wake(self, ready: Iterable[Held], leader: Held) -> None:
        """The answers of `ready` were fetched; somebody else leads, if others are ready by now."""
        with self._lock:
            for held in ready:
                held.wake.set()
            leader.leads = self._led = False
            self._announce([])

    def _hear(self, ids: Iterable[str]) -> None:
        with self._lock:
            ready = []
            for task_id in ids:
                for held in self._by_id.pop(task_id, ()):
                    held.unheard.discard(task_id)
                    if held.sleeps and not held.unheard:
                        ready.append(held)
            self._announce(ready)

    def _announce(self, ready: Iterable[Held]) -> None:
        """These are ready, too; one leads unless somebody does."""
        self._ready += ready
        if not self._led:
            leader = next((held for held in self._ready if held.sleeps), None)
            if leader is not None:
                self._led = leader.leads = True
                leader.wake.set()

    def _unexpect(self, held: Held, ids: Iterable[str]) -> None:
        for task_id in ids:
            others = self._by_id.get(task_id)
            if others is not None:
                others.discard(held)
                if not others:
                    del self._by_id[task_id]
            held.unheard.discard(task_id)
