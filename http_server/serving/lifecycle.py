"""How a server process ends in order: who waits is answered, and nobody is left behind."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading

import granian._signals

from http_server.submit.waiting_room import WaitingRoom

DRAIN_SIGNAL = signal.SIGUSR1
"""The parent says with it that the end is near; readiness ends, service goes on."""

STOP_SIGNAL = signal.SIGUSR2
"""With it the parent ends this process. SIGTERM, SIGINT and SIGHUP are the parent's business:
who sends them to all processes of a service or terminal at once wants one drain, not two ends."""

_ENDING = frozenset({DRAIN_SIGNAL, STOP_SIGNAL})
_ORPHAN_CHECK_S = 0.25


def drain_on_signal(room: WaitingRoom) -> None:
    """Drains `room` as soon as this process is told to end; must run in the main thread.

    granian sets its own handlers after the application was made, so this listens beneath them, at
    the file descriptor that Python writes signal numbers to.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    vars(granian._signals)["_get_signals"] = lambda: [STOP_SIGNAL]  # what ends this process
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
            os.kill(os.getpid(), STOP_SIGNAL)
            return
