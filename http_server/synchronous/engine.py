"""The synchronous queue mode's worker, as the server sees it: one process that runs one task after
another, its models loaded once. Whatever a handler does, the server goes on to answer."""

from __future__ import annotations

import json
import logging
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from doneyet.own_process import OwnProcess, describe_exit
from doneyet.settings import Settings
from doneyet.task_types import Registry
from doneyet.task_types.answer import failure
from doneyet.task_types.error_text import named
from doneyet.task_types.loading import NotLoadedError
from http_server.synchronous.link import Link
from task_manager.values import Result, Task, result_of

log = logging.getLogger(__name__)

Recall = Callable[[str, str], dict[str, Any] | None]

_CRASHED = (
    "The process that ran this task died; "
    "it may need more memory than there is, or crash a library."
)


class Engine:
    """Answers one task at a time; starts its process anew when that ended.

    Raises:
        NotLoadedError: a task type cannot be loaded.
    """

    recall: Recall | None = None
    """Finished answers of other tasks, for types that build upon them."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings, self._types = settings, registry.types
        self._lock = threading.Lock()
        self._running = ""
        self._closed = False
        self._process = _Process(settings)
        self._process.wait_until_ready()

    def run(self, task: Task) -> Result:
        """What came of `task`; a failure where its process died, or took longer than it may."""
        kind = self._types[task.type]
        try:
            process = self._ready_process()
        except NotLoadedError as error:
            return self._failed(task, "task-failed", str(error))
        with self._lock:
            self._running = task.id
        try:
            done, body = process.run(task, kind.timeout_s, self.recall)
        except TimeoutError:
            why = f"it ran longer than {kind.timeout_s:g} s"
            log.warning("%s is ended: %s", named(task.type, [task.id]), why)
            return self._failed(task, "timed-out", why)
        except EOFError:
            how = process.end()
            log.warning("the process that ran %s %s", named(task.type, [task.id]), how)
            return self._failed(task, "crashed", _CRASHED)
        finally:
            with self._lock:
                self._running = ""
            if process.exit_code is not None:
                process.end()
                if not self._closed:
                    self._process = _Process(self._settings)  # it loads while nobody asks
        return result_of(kind, task.id, done, body)

    def stop(self, task_id: str) -> None:
        """Ends the process if it runs `task_id`."""
        with self._lock:
            if self._running == task_id:
                self._process.kill()

    def close(self) -> None:
        """Ends the process, with whatever it runs."""
        self._closed = True
        self._process.end()

    def _ready_process(self) -> _Process:
        if self._process.exit_code is not None:
            self._process.end()
            self._process = _Process(self._settings)
        self._process.wait_until_ready()
        return self._process

    def _failed(self, task: Task, code: str, detail: str) -> Result:
        return result_of(self._types[task.type], task.id, *failure(code, detail))


class _Process(OwnProcess):
    """The engine process; it ends with the server, whatever it runs."""

    def __init__(self, settings: Settings) -> None:
        ours, its = socket.socketpair()
        with its:
            super().__init__(
                settings,
                "http_server.synchronous.engine_process",
                str(its.fileno()),
                grace_s=0,
                held=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
                pass_fds=[its.fileno()],
            )
        self._link = Link(ours, is_there=lambda: self.exit_code is None)
        self._is_ready = False

    def wait_until_ready(self) -> None:
        """Returns when its models are loaded.

        Raises:
            NotLoadedError: one cannot be.
        """
        if self._is_ready:
            return
        try:
            head, _ = self._link.receive()
        except EOFError:
            raise NotLoadedError(f"the process that runs tasks {self.end()} at its start") from None
        if "ready" not in head:
            self.end()
            raise NotLoadedError(head["not loaded"])
        self._is_ready = True

    def run(self, task: Task, timeout_s: float | None, recall: Recall | None) -> tuple[bool, bytes]:
        """Whether it is done or failed, and the body.

        Raises:
            TimeoutError: it took longer than `timeout_s`; the process is killed.
            EOFError: the process died.
        """
        self._link.send({"id": task.id, "type": task.type}, task.input)
        while True:
            try:
                head, body = self._link.receive(timeout_s)
            except TimeoutError:
                self.end()
                raise
            if "recall" not in head:
                return head["done"], body
            answer = recall(*head["recall"]) if recall is not None else None
            self._link.send({}, json.dumps(answer).encode())

    def end(self) -> str:
        """Kills it and what it started; how it ended, in words."""
        self.kill()
        code = self.wait()
        self._link.close()
        return describe_exit(code)
