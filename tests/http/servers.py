"""A real server process and a real worker loop for the end-to-end tests."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import requests

from doneyet.settings import Settings
from doneyet.task_types import load_registry
from doneyet.task_types.run_batch import run_batch
from task_manager import open_task_manager
from task_manager.errors import UnavailableError
from task_manager.values import Claim, Result, State
from tests.helpers import children_of, wait_until

ROOT = Path(__file__).parents[2]


class ServerProcess:
    """`python -m http_server` as a user would start it."""

    def __init__(self, *flags: str, redis_url: str = "redis://127.0.0.1:1/0") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DONEYET_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "http_server", "--port", str(self.port), *flags],
            cwd=ROOT,
            env={**environment, "DONEYET_REDIS_URL": redis_url},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:  # on a machine with ten times as much to do as it has cores that takes half a minute
            wait_until(self._answers, description="the server answers /healthz", timeout_s=90)
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise

    def child(self) -> int:
        """The process id of the granian worker process."""
        return children_of(self.process.pid)[0]

    def stop(self) -> str:
        """Ends it in order; what it wrote to standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=15)
        return errors

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"the server ended: {self.process.stderr}"
        return is_live(self.url)


class WorkLoop:
    """A worker in a thread of the test: claims, runs, finishes."""

    def __init__(self, settings: Settings) -> None:
        registry = load_registry(settings)
        self._types = registry.types
        for task_type in self._types.values():
            task_type.load()
        self._manager = open_task_manager(settings, self._types)
        self._stopped = threading.Event()
        self._works = threading.Lock()
        self._is_unclear = False
        self._thread = threading.Thread(target=self.run)
        self._thread.start()

    def run(self) -> None:
        """Works until closed, except in `paused`."""
        while not self._stopped.wait(0.001):  # lets `paused` have the lock
            with self._works:
                try:
                    self.run_once()
                except UnavailableError:  # on a busy machine Redis may take more than 2 s
                    self._is_unclear = True

    def run_once(self) -> None:
        """Answers what waits, or waits a little."""
        names = list(self._types)
        if self._is_unclear:  # it may hold claims of which it never heard
            self._manager.recover("loop", names, running=())
            self._is_unclear = False
        self._manager.renew({"loop": names}, 60)
        claims = self._manager.claim("loop", names, 1000, 0.1)
        if claims:
            self._manager.finish("loop", [self._result(claim) for claim in claims])

    def paused(self) -> threading.Lock:
        """A context in which nothing is claimed."""
        return self._works

    def close(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        self._thread.join()
        self._manager.recover("loop", list(self._types))
        self._manager.close()

    def _result(self, claim: Claim) -> Result:
        (answer,) = run_batch(self._types[claim.type], [claim.input])
        state = State.DONE if answer.done else State.FAILED
        return Result(claim.id, claim.type, state, answer.body, 60)


@contextlib.contextmanager
def serving(*flags: str, redis_url: str = "redis://127.0.0.1:1/0") -> Iterator[ServerProcess]:
    """A server that is stopped at the end."""
    server = ServerProcess(*flags, redis_url=redis_url)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
            server.process.communicate(timeout=15)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_live(url: str) -> bool:
    """Whether `/healthz` answers."""
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{url}/healthz", timeout=5).ok
    return False
