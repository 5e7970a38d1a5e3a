"""One client for many threads, and for processes that are forked."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from doneyet.client import Client
from doneyet.fresh_python import python_environment
from tests.client.conftest import MakeClient, MakeStub
from tests.client.stub_server import Asked, Says, done

FORKS = """
import os, sys
from doneyet.client import Client

client = Client(sys.argv[1], patience_s=5)
for process in range(3):
    assert client.run("double", number=0)["double"] == 0
    if not os.fork():
        assert client.run("double", number=1 + process)["double"] == 2 + 2 * process
        os._exit(0)
    assert os.wait()[1] == 0
"""


def echo(asked: Asked) -> Says:
    """Twice what was asked for."""
    return Says(200, done(asked.body["number"]))


def test_forked_processes_have_connections_of_their_own(stub: MakeStub) -> None:
    """On their parent's, which is open in them, too, each would read answers to the others."""
    server = stub(echo)
    subprocess.run(
        [sys.executable, "-c", FORKS, server.url],
        env=python_environment({}),
        timeout=60,
        check=True,
    )
    ports: dict[int, set[int]] = {}
    for asked in server.asked:
        ports.setdefault(asked.body["number"], set()).add(asked.port)
    assert [len(each) for each in ports.values()] == [1] * 4
    assert len(set.union(*ports.values())) == 4


def test_connections_of_threads_that_have_ended_are_closed(
    stub: MakeStub, client_of: MakeClient
) -> None:
    """A program with a thread for each request does not run out of files."""
    server = stub(echo)
    client = client_of(server)
    before = _open_files()
    for number in range(30):
        asking = threading.Thread(target=_ask, args=(client, number))
        asking.start()
        asking.join()
    # Both ends are in this process, and the server's ends a moment later.
    assert _open_files() < before + 15


def _ask(client: Client, number: int) -> None:
    assert client.run("double", number=number)["double"] == 2 * number


def _open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])
