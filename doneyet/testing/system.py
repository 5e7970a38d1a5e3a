"""A whole system in this process: HTTP server, worker and Redis, for tests."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from doneyet.client import Client
from doneyet.settings import Settings
from doneyet.task_types import TaskType
from doneyet.task_types.loading import load
from doneyet.task_types.registry import load_registry, registry_of
from doneyet.testing.redis_in_process import redis_in_process

if TYPE_CHECKING:
    from flask import Flask

STOP_SEEN_AFTER_S = 0.02
QUEUE_MODES = ("random", "distributed", "ordered")


class SystemInProcess:
    """Serves task types from threads of this process.

        with SystemInProcess(Iris) as system:
            system.client.run("iris", features=[5, 3, 1, 0.2])

    It is what `doneyet serve` starts, but for what takes processes: a `timeout_s`, the end of a
    cancelled run, another attempt after a crash.

    Args:
        task_types: classes or objects; none: those that the settings name.
        settings: by name, where they are not the defaults, as in `tasks="iris.py"` or
            `queue_mode="distributed"`.
    """

    app: Flask
    """The server's WSGI application; its `test_client()` asks without a connection."""
    url: str
    """Where the server listens: a free port of this machine."""
    client: Client
    """A client of it."""

    def __init__(self, *task_types: type[TaskType] | TaskType, **settings: Any) -> None:
        self._task_types, self._settings = task_types, settings
        self._running = contextlib.ExitStack()

    def __enter__(self) -> SystemInProcess:
        """Returns when questions are answered.

        Raises:
            SettingError, TaskTypeError: a setting or a task type cannot be used.
            NotLoadedError: a task type cannot be loaded.
        """
        from doneyet.testing.worker_in_process import coordinating, working

        with contextlib.ExitStack() as running:
            url = running.enter_context(redis_in_process())
            settings = Settings(redis_url=url, **self._settings)
            if settings.queue_mode not in QUEUE_MODES:
                raise ValueError(f"queue_mode must be one of {', '.join(QUEUE_MODES)} here")
            made = [kind() if isinstance(kind, type) else kind for kind in self._task_types]
            registry = registry_of(made, settings) if made else load_registry(settings)
            for kind in registry.run_by_processes.types.values():
                load(kind)
            running.enter_context(working(settings, registry.run_by_processes))
            running.enter_context(coordinating(settings, registry))
            self.app = running.enter_context(_application(settings, registry))
            self.url = running.enter_context(_served(self.app))
            self.client = running.enter_context(Client(self.url))
            self._running = running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()


@contextlib.contextmanager
def _application(settings: Settings, registry: Any) -> Iterator[Flask]:
    from http_server.app import create_app

    app = create_app(settings, registry=registry)
    try:
        yield app
    finally:
        app.extensions["doneyet"].close()


@contextlib.contextmanager
def _served(app: Flask) -> Iterator[str]:
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log_request(self, *_: object) -> None:
            """A test's output is the test's."""

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    serve = partial(server.serve_forever, poll_interval=STOP_SEEN_AFTER_S)
    thread = threading.Thread(target=serve, name="doneyet-server", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
