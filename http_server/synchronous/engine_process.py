"""The process that runs tasks in the synchronous queue mode: `python -m ... SOCKET_FD`."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import socket
import sys
from typing import Any

from doneyet.logs import set_up_logs
from doneyet.process_tree import ignore_signals
from doneyet.settings import Settings
from doneyet.task_types import load_registry
from doneyet.task_types.context import Host
from doneyet.task_types.loading import NotLoadedError, load_all
from doneyet.task_types.run_batch import run_batch
from http_server.synchronous.link import Link

_PR_SET_PDEATHSIG = 1


def main(fd: int) -> None:
    """Loads all types, then answers one task after another until the server is gone."""
    _end_with_parent()
    ignore_signals(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the server decides
    settings = Settings.from_environment()
    set_up_logs(settings, beside_handlers=True)
    link = Link(socket.socket(fileno=fd))
    types = load_registry(settings).types

    def recall(type_name: str, task_id: str) -> dict[str, Any] | None:
        link.send({"recall": [type_name, task_id]})
        answer: dict[str, Any] | None = json.loads(link.receive()[1])
        return answer

    host = Host(recall=recall)
    try:
        load_all(types.values())
    except NotLoadedError as error:
        link.send({"not loaded": str(error)})
        return
    link.send({"ready": True})
    while True:
        head, text = link.receive()
        (answer,) = run_batch(types[head["type"]], [text], [head["id"]], host)
        if os.getpid() != _PID:
            os._exit(0)  # a handler has forked, and this is the other one
        link.send({"done": answer.done}, answer.body)


_PID = os.getpid()


def _end_with_parent() -> None:
    """Even while a handler holds the interpreter, where the system can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except EOFError:
        logging.shutdown()
    os._exit(0)
