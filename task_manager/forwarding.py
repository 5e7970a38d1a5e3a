"""What a manager that has others inside passes on to one of them as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from task_manager.interface import TaskSubmitter, Watch
from task_manager.kept import KeptTasks
from task_manager.shared_values import SharedValues
from task_manager.values import Allowance, Memory


class Forwarding(TaskSubmitter):
    """Whatever is of no task type is `main`'s business."""

    def __init__(self, main: TaskSubmitter) -> None:
        self._main = main

    def known_types(self) -> list[str]:
        return self._main.known_types()

    def memory(self) -> Memory | None:
        return self._main.memory()

    def allow(
        self, client: str, requests_per_s: float, burst_s: float, wanted: int
    ) -> Allowance | None:
        return self._main.allow(client, requests_per_s, burst_s, wanted)

    def kept(self) -> KeptTasks | None:
        return self._main.kept()

    def shared_values(self) -> SharedValues:
        return self._main.shared_values()

    def watch(
        self,
        on_finished: Callable[[Sequence[str]], None],
        on_connected: Callable[[bool], None],
        on_failed: Callable[[Exception], None] = lambda _error: None,
    ) -> Watch:
        return self._main.watch(on_finished, on_connected, on_failed)

    def ping(self) -> None:
        self._main.ping()

    def check(self) -> None:
        self._main.check()

    def close(self) -> None:
        self._main.close()
