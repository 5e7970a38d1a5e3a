"""Stub servers, and clients that ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from doneyet.client import Client
from tests.client.stub_server import Asked, Says, StubServer

MakeStub = Callable[[Callable[[Asked], Says]], StubServer]
MakeClient = Callable[..., Client]


@pytest.fixture
def stub() -> Iterator[MakeStub]:
    """Starts a server that answers by the function it is given."""
    servers: list[StubServer] = []

    def make(decide: Callable[[Asked], Says]) -> StubServer:
        servers.append(StubServer(decide))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def client_of() -> Iterator[MakeClient]:
    """Makes a client of a stub server, with little patience unless said otherwise."""
    clients: list[Client] = []

    def make(server: StubServer, *, patience_s: float = 5.0, wait_s: float = 20.0) -> Client:
        clients.append(Client(server.url, patience_s=patience_s, wait_s=wait_s))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
