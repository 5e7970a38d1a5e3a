"""A TCP proxy in front of a Redis whose connections can fall silent, be cut, or be slow.

    with MutingProxy(server.url) as proxy:
        ... use proxy.url ...
        proxy.mute()               # all there are now say nothing more; new ones work
        proxy.mute(SUBSCRIBING)    # only those that listen
        proxy.mute_new = True      # new connections are accepted and never answered
        proxy.delay_s = 0.2        # each packet takes that much longer, in each direction
        proxy.cut()                # all there are now are closed

A mute connection stays open: what either side sends is read and dropped, as by a firewall that
has forgotten it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from urllib.parse import urlsplit

SUBSCRIBING, BLOCKING, ASKING = "subscribing", "blocking", "asking"
"""Kinds of connections, by what was ever said on them: SUBSCRIBE; BLPOP; only other things."""


class MutingProxy:
    """Listens on a free loopback port and passes bytes to the Redis at `url`."""

    def __init__(self, url: str) -> None:
        self._upstream = url
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: set[_Link] = set()
        self._lock = threading.Lock()
        self.mute_new = False
        self.delay_s = 0.0
        self.accepted = 0
        """How many connections have come so far."""
        threading.Thread(target=self._accept, name="muting-proxy", daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the Redis through this proxy."""
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def mute(self, kind: str | None = None) -> int:
        """Silences the connections that there are, or those of one kind; how many those were."""
        muted = [link for link in self._open() if kind in (None, link.kind) and not link.mute]
        for link in muted:
            link.mute = True
        return len(muted)

    def cut(self, kind: str | None = None) -> int:
        """Closes the connections that there are, or those of one kind; how many those were."""
        cut = [link for link in self._open() if kind in (None, link.kind)]
        for link in cut:
            link.close()
        return len(cut)

    def count(self, kind: str) -> int:
        """How many connections of this kind are open and not mute."""
        return sum(link.kind == kind and not link.mute for link in self._open())

    def close(self) -> None:
        """Closes everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def __enter__(self) -> MutingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> list[_Link]:
        with self._lock:
            self._links = {link for link in self._links if not link.closed}
            return list(self._links)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = connect(self._upstream)
            except OSError:
                client.close()
                continue
            link = _Link(self, client, server)
            link.mute = self.mute_new
            with self._lock:
                self.accepted += 1
                self._links.add(link)
            link.start()


class _Link:
    """One client's connection, and ours to the server for it."""

    def __init__(self, proxy: MutingProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self.kind, self.mute, self.closed = ASKING, False, False

    def start(self) -> None:
        for source, target in ((self._client, self._server), (self._server, self._client)):
            threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def close(self) -> None:
        self.closed = True
        for each in (self._client, self._server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if source is self._client and self.kind == ASKING:
                    self.kind = _kind(data)
                if self._proxy.delay_s:
                    time.sleep(self._proxy.delay_s)
                if not self.mute:
                    target.sendall(data)
        self.close()


def _kind(data: bytes) -> str:
    """What a client says on this connection."""
    if b"\r\nSUBSCRIBE\r\n" in data:
        return SUBSCRIBING
    return BLOCKING if b"\r\nBLPOP\r\n" in data else ASKING


def connect(url: str) -> socket.socket:
    """A connection to the server that a redis:// or unix:// URL names."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(parts.path)
        return upstream
    return socket.create_connection((parts.hostname, parts.port or 6379))
