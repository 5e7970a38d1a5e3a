"""One look after the other: how much there is to do, how many workers there are, how many to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from autoscaler.choice import Worker, to_stop
from autoscaler.compose import Container
from autoscaler.policy import Autoscaler


class Load(NamedTuple):
    """How much there is to do of a task type, and who does it.

    `running_by_host` has those hosts whose workers are ready, with the tasks that they run.
    """

    waiting: int
    running: int
    running_by_host: Mapping[str, int]


class Containers(Protocol):
    """What is scaled; `autoscaler.compose.Compose` is one."""

    def containers(self, service: str) -> list[Container]: ...

    def start(self, service: str, number: int) -> None: ...

    def stop(self, names: list[str]) -> None: ...


class Change(NamedTuple):
    """What a look has led to."""

    before: int
    after: int


class Scaler:
    """Keeps one service at the number of containers that its type's load asks for.

    Args:
        service: its containers run workers of that type, and of no other.
        autoscaler: decides.
        containers: carries it out.
        load: how much there is to do; None where nobody can tell.
    """

    def __init__(
        self,
        service: str,
        autoscaler: Autoscaler,
        containers: Containers,
        load: Callable[[], Load | None],
    ) -> None:
        self._service, self._autoscaler = service, autoscaler
        self._containers, self._load = containers, load
        self._seen_s: dict[str, float] = {}
        self._ready: set[str] = set()
        self.load_time_s = 0.0
        """How long it took lately from a container's start until its workers were ready."""

    def look(self, now_s: float) -> Change:
        """Looks, decides, and has it carried out.

        Raises:
            Exception: as `Containers` has it; the next look tries again.
        """
        load = self._load()
        there = self._containers.containers(self._service)
        self._note(now_s, there, load)
        number = self._autoscaler.decide(
            now_s,
            None if load is None else load.waiting,
            None if load is None else load.running,
            len(there),
            load_time_s=self.load_time_s,
        )
        if number > len(there):
            self._containers.start(self._service, number)
        elif load is not None and number < len(there):
            self._containers.stop(to_stop(self._workers(there, load), len(there) - number))
        return Change(len(there), number)

    def _note(self, now_s: float, there: list[Container], load: Load | None) -> None:
        """When each was seen first, and how long it took those that are ready now."""
        names = {each.name for each in there}
        self._seen_s = {name: at_s for name, at_s in self._seen_s.items() if name in names}
        self._ready &= names
        at_start = not self._seen_s
        for each in there:
            self._seen_s.setdefault(each.name, now_s)
            if load is None or each.host not in load.running_by_host or each.name in self._ready:
                continue
            self._ready.add(each.name)
            if not at_start:  # else it may have been there for long
                self.load_time_s = max(0.0, now_s - self._seen_s[each.name])

    def _workers(self, there: list[Container], load: Load) -> list[Worker]:
        return [
            Worker(
                each.name,
                each.host not in load.running_by_host,
                load.running_by_host.get(each.host, 0),
                self._seen_s[each.name],
            )
            for each in there
        ]
