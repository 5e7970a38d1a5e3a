"""How a server process ends in order: who waits is answered, and nobody is left behind."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading

from http_server.ask.long_poll import WaitingRoom

DRAIN_SIGNAL = signal.SIGUSR1
"""The parent says with it that the end is near; readiness ends, service goes on."""

_ENDING = frozenset({DRAIN_SIGNAL, signal.SIGTERM, signal.SIGINT})
_ORPHAN_CHECK_S = 0.25


def drain_on_signal(room: WaitingRoom) -> None:
    """Drains `room` as soon as this process is told to end; must run in the main thread.

    granian sets the handlers of SIGTERM and SIGINT after the application was made, so this
    listens beneath them, at the file descriptor that Python writes signal numbers to.
    """
    listening, telling = socket.socketpair()
    telling.setblocking(False)
    signal.signal(DRAIN_SIGNAL, lambda *_: None)  # its default is to kill
    signal.set_wakeup_fd(telling.detach(), warn_on_full_buffer=False)  # open until the end
    thread = threading.Thread(
        target=_listen, args=(listening, room, os.getppid()), name="lifecycle", daemon=True
    )
    thread.start()


def _listen(listening: socket.socket, room: WaitingRoom, parent: int) -> None:
    while True:
        ready, _, _ = select.select([listening], [], [], _ORPHAN_CHECK_S)
        if ready and _ENDING & set(listening.recv(64)):
            room.drain()
        if os.getppid() != parent:  # killed: nobody else would end this process, or free its port
            room.drain()
            os.kill(os.getpid(), signal.SIGTERM)
            return
