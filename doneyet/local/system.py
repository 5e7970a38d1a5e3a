"""The whole system on one machine: a Redis of its own, an HTTP server, a worker."""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from doneyet.fresh_python import python_command, python_environment
from doneyet.local.console import saying
from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.managed_process import Part, PartError, free_port

START_TIMEOUT_S = 60.0
"""How long a part may take to be ready; models are loaded meanwhile."""
FREE_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.02
SELDOM_S = 0.15
"""Between looks at a part that starts, in the end: to look is work, for the part as well."""


class NeedsKeyError(Exception):
    """Raised when the server answers only those with a key."""


class System:
    """Everything that answers a question, started together and stopped in order.

        with System(processes=2) as system:
            Client(system.url).run("factorize", number=408216)

    Args:
        queue_mode: how waiting tasks are kept and picked; `synchronous` needs only the server.
        port: where the server listens; 0 for a free port.
        processes: worker processes; a range such as "0..2": as many as the load asks for.
        redis_url: a Redis to use; None starts one.
        settings: more `DONEYET_` variables for both programs.
        worker_arguments: more flags for `python -m worker`.
        show_logs: whether logs go to standard error; else `PartError` tells their end.
        grace_s: how long running tasks may take to finish when the system stops.
    """

    def __init__(
        self,
        *,
        queue_mode: str = "random",
        port: int = 0,
        processes: int | str = 2,
        redis_url: str | None = None,
        settings: Mapping[str, str] | None = None,
        worker_arguments: Sequence[str] = (),
        show_logs: bool = False,
        grace_s: float = 10.0,
    ) -> None:
        self.port = port or free_port()
        self.redis: EmbeddedRedis | None = None
        self.http_server: Part | None = None
        self.worker: Part | None = None
        self._queue_mode, self._processes = queue_mode, processes
        self._redis_url, self._settings = redis_url, dict(settings or {})
        self._worker_arguments = worker_arguments
        self._show_logs, self._grace_s = show_logs, grace_s

    @property
    def url(self) -> str:
        """Where the HTTP server is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> System:
        """Starts all parts; returns when questions are answered.

        Raises:
            PartError: a part did not start; nothing is left running.
            NoServerError: there is no Redis to start, or it did not start.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def start_http_server(self) -> None:
        """Starts the HTTP server (again), and waits until it is ready."""
        command = [
            *python_command("http_server", "--queue-mode", self._queue_mode),
            *("--host", "127.0.0.1", "--port", str(self.port)),
        ]
        if self.http_server is not None:
            self.http_server.stop()
            self._wait_until_free()  # a killed server's process lets go of the port a little later
        self.http_server = self._part("the HTTP server", command)
        self._wait_until_ready(self.http_server, self._is_ready)

    def start_worker(self) -> None:
        """Starts the worker (again), and waits until the HTTP server sees it."""
        command = [
            *python_command("worker", "--queue-mode", self._queue_mode),
            *("--processes", str(self._processes), *self._worker_arguments),
        ]
        if self.worker is not None:
            self.worker.stop()
        self.worker = self._part("the worker", command)
        self._wait_until_ready(self.worker, self._has_worker)

    def check(self) -> None:
        """Does nothing while all parts run.

        Raises:
            PartError: one has ended; says which, and the end of its log.
        """
        for part in (self.http_server, self.worker):
            if part is not None:
                part.check()

    def stop(self) -> None:
        """Stops all parts: first the asking, then the answering, then what is between them."""
        for part in (self.http_server, self.worker, self.redis):
            if part is not None:
                part.stop()

    def __enter__(self) -> System:
        return self.start()

    def __exit__(self, *_: object) -> None:
        with saying("Stopping"):
            self.stop()

    def _start(self) -> None:
        if not _is_free(self.port):
            raise PartError(f"port {self.port} is in use; choose another one with --port")
        if self._queue_mode == "synchronous":
            with saying("Starting the HTTP server"):
                self.start_http_server()
            return
        if self._redis_url is None:
            with saying("Starting a Redis"):
                self.redis = EmbeddedRedis()
                self._redis_url = self.redis.url
        with saying("Starting the HTTP server"):
            self.start_http_server()
        with saying("Starting the worker"):
            self.start_worker()

    def _part(self, name: str, command: Sequence[str]) -> Part:
        environ = {**os.environ, **self._settings, "DONEYET_GRACE_S": str(self._grace_s)}
        if self._redis_url is not None:
            environ["DONEYET_REDIS_URL"] = self._redis_url
        environ = python_environment(environ)
        return Part(name, command, environ, grace_s=self._grace_s, show_log=self._show_logs)

    def _wait_until_free(self) -> None:
        give_up_at = time.monotonic() + FREE_TIMEOUT_S
        while not _is_free(self.port):
            if time.monotonic() > give_up_at:
                raise PartError(f"port {self.port} is still in use")
            time.sleep(LOOK_EVERY_S)

    def _wait_until_ready(self, part: Part, is_ready: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        pause_s = LOOK_EVERY_S
        while not is_ready():
            part.check()
            if time.monotonic() > give_up_at:
                raise PartError(
                    part.said(f"{part.name} was not ready within {START_TIMEOUT_S:g} s")
                )
            time.sleep(pause_s)
            pause_s = min(SELDOM_S, 1.2 * pause_s)

    def _is_ready(self) -> bool:
        return self._get("/readyz") is not None

    def _has_worker(self) -> bool:
        """Whether the server sees a worker; taken for true where it tells only those with a key."""
        try:
            load = self._get("/load")
        except NeedsKeyError:
            return True
        return load is not None and _workers_in(load) > 0

    def _get(self, path: str) -> Any:
        """The JSON at `path`; None where there is none yet.

        Raises:
            NeedsKeyError: the server has keys (`DONEYET_KEYS`).
        """
        # A proxy named in the environment is for the world outside.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.url + path, timeout=5) as got:
                return json.load(got)
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.UNAUTHORIZED:
                raise NeedsKeyError from error
        except (OSError, ValueError):
            pass
        return None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _workers_in(load: Any) -> int:
    """The most workers that any task type has."""
    return max((one["workers"] for one in load["types"].values()), default=0)
