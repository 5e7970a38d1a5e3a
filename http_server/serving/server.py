"""granian, as this server uses it."""

from __future__ import annotations

import math
import os
import resource
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from doneyet.logs import say
from doneyet.settings import Settings
from http_server.serving.lifecycle import DRAIN_SIGNAL, STOP_SIGNAL
from http_server.wire.body_reader import MOST_SLOW

if TYPE_CHECKING:
    from flask import Flask

DRAIN_S = 0.5
"""How long a draining server still serves, so that load balancers and clients see it drain."""

KILL_AFTER_S = 5
"""How long a server process may take to end after that, unless it runs tasks itself."""

SAFE_PATH = "PYTHONSAFEPATH"
"""Keeps the current directory off the path of the server process while it starts."""

BACKLOG = 4096
_JSON_LOGS = {
    "formatters": {"generic": {"()": "doneyet.logs.JsonFormatter"}},
    "handlers": {
        "console": {
            "formatter": "generic",
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
        }
    },
    "loggers": {"_granian": {"handlers": ["console"], "propagate": False}},
}
"""granian's own lines, where all are JSON."""

_MOST_HEADER_BYTES = 64 * 1024
_PID = os.getpid()
_SPARE_FILES = 64  # descriptors that are no client connections


class PortTakenError(Exception):
    """Raised when the server cannot listen where it should; the message says where and why."""


class DrainingServer(MPServer):
    """A granian server that tells its process to drain before it stops it.

    It is the same whether a signal comes to this process alone or to its processes as well.
    """

    _drains = False
    _hears_hang_up = True

    def startup(self, *args: Any, **kwargs: Any) -> None:
        """Begins to listen; a SIGHUP that `nohup` has ignored stays so."""
        self._hears_hang_up = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
        super().startup(*args, **kwargs)  # type: ignore[no-untyped-call]

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """The first signal begins the drain, which a timer ends; another one ends it at once."""
        if os.getpid() != _PID:
            return  # a server process that has just been forked: its parent heard it, too
        if self._drains:
            super().signal_handler_interrupt()  # type: ignore[no-untyped-call]
            return
        self._drains = True
        self._send(DRAIN_SIGNAL)
        timer = threading.Timer(DRAIN_S, super().signal_handler_interrupt)
        timer.daemon = True
        timer.start()

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
        """A closed terminal: drains, and never hurries that, since it comes twice or after SIGTERM.
        granian would start another process with the same code."""
        if self._hears_hang_up and not self._drains:
            self.signal_handler_interrupt()

    def shutdown(self, exit_code: int = 0) -> None:
        """Ends the server process; one more signal changes nothing while Python ends itself."""
        try:
            super().shutdown(exit_code)  # type: ignore[no-untyped-call]
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)

    def _stop_workers(self) -> None:
        self._send(STOP_SIGNAL)
        super()._stop_workers()  # type: ignore[no-untyped-call]

    def _send(self, number: signal.Signals) -> None:
        for worker in self.wrks:
            worker.interrupt_by_parent = True  # its end is expected from now on
            process = worker.inner
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, number)


def make_server(settings: Settings) -> DrainingServer:
    """The server, not yet listening; its process finds `settings` in the environment.

    A held request keeps a thread, and so does a body on its way: there are as many threads as there
    may be of both, and `threads` more, so that health routes and polls always find one. granian
    starts a thread when it is needed. Connections are limited by file descriptors alone,
    since granian lets a connection that is idle count.
    """
    # Below "debug" only its errors: its warnings are about our number of threads, which is meant.
    level = LogLevels.debug if settings.log_level == "debug" else LogLevels.error
    return DrainingServer(
        "http_server",  # unused: see `load_application`
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,  # nothing here would end a connection of HTTP/2 that is idle
        workers=1,
        blocking_threads=settings.threads + settings.max_waiting + 2 * MOST_SLOW,
        backpressure=_most_connections(),
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(max_buffer_size=_MOST_HEADER_BYTES),
        workers_kill_timeout=_kill_after_s(settings),
        log_level=level,
        log_dictconfig=_JSON_LOGS if settings.log_format == "json" else None,
        websockets=False,
    )


def load_application(*, redis_was_away: bool = False) -> Flask:
    """What a server process serves. granian's own loader puts the current directory first on the
    path, so that a user's `http_server.py` there would be served.
    """
    from doneyet.task_types.loading import NotLoadedError
    from http_server.app import app_for_server

    os.environ.pop(SAFE_PATH, None)
    try:
        return app_for_server(redis_was_away=redis_was_away)
    except NotLoadedError as error:
        # An exception would be a traceback. granian says that its process has ended, and ends, too.
        say("http_server", str(error), Settings.from_environment())
        os._exit(1)


def check_port(host: str, port: int) -> int:
    """The port to listen on: `port`, or a free one for 0.

    granian itself shares a port silently with whoever listens there with SO_REUSEPORT.

    Raises:
        PortTakenError: nobody can listen there.
    """
    if port > 65535:  # getaddrinfo would take its last 16 bits
        raise PortTakenError(f"cannot listen on {host}:{port}: ports end at 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortTakenError(f"cannot listen on {host}:{port}: {reason}") from error


def _kill_after_s(settings: Settings) -> int:
    """Where tasks run in this process, they may finish."""
    if settings.queue_mode == "synchronous":
        return max(KILL_AFTER_S, math.ceil(settings.grace_s))
    return KILL_AFTER_S


def _most_connections() -> int:
    """As many as the process may open; the soft limit is raised to the hard one, up to 65536."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(128, soft - _SPARE_FILES)
