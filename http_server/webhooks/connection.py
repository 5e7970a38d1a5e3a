"""One POST to a URL that somebody else chose: to allowed addresses only, within one time limit.

No redirect is followed and no proxy is used. Where a name leads is checked of the connection that
was made, before a byte is sent: a name may be looked up twice with two answers.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple

from http_server.webhooks.addresses import refusal
from http_server.webhooks.target import Target

MOST_BYTES = 64 << 10
"""Of a response's body that are read; only its status and headers matter."""

MOST_RECEIVED = 2 * MOST_BYTES
"""Of all that comes back: a receiver may say 100 Continue without end, which is work to read."""

READ_S = 1.0
"""How long its body is read, so that most receivers can send all of theirs."""

_AT_ONCE = 16 << 10


class NotSentError(Exception):
    """Raised when there is no response; says why in a few words."""


class Reply(NamedTuple):
    """What matters of a response."""

    status: int
    retry_after: str | None


def post(
    target: Target, body: bytes, headers: Mapping[str, str], *, private: bool, limit_s: float
) -> Reply:
    """Sends `body` and returns what came back, within `limit_s` of the start.

    Raises:
        NotSentError: there is no response, or none in time; the request may have arrived.
    """
    deadline_s = time.monotonic() + limit_s
    try:
        with contextlib.closing(_Connection(target, deadline_s, private=private)) as connection:
            connection.request("POST", target.path, body, dict(headers))
            response = connection.getresponse()
            reply = Reply(response.status, response.headers.get("retry-after"))
            connection.end_by(time.monotonic() + READ_S)
            with contextlib.suppress(OSError, HTTPException, ValueError):
                left = MOST_BYTES
                while left > 0 and (read := response.read(min(left, _AT_ONCE))):
                    left -= len(read)
            return reply
    except TimeoutError as error:
        raise NotSentError(f"no answer within {limit_s:g} s") from error
    except ssl.SSLCertVerificationError as error:
        raise NotSentError(f"its certificate: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise NotSentError(f"TLS: {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        said = f"{type(error).__name__}: {error}"[:200]
        raise NotSentError(ascii(said)[1:-1]) from error  # what a receiver says is no log's line


class _Connection(HTTPConnection):
    """A connection to an allowed address; each step of its use ends at the deadline."""

    auto_open = 0  # never again behind our back

    def __init__(self, target: Target, deadline_s: float, *, private: bool) -> None:
        super().__init__(target.host, target.port)
        if target.scheme == "https":
            self.default_port = 443  # so that `Host` does not name it
        self._deadline_s = deadline_s
        self._limited: _LimitedSocket | None = None
        plain = _connected(target, deadline_s, private=private)
        try:
            if target.scheme == "https":
                plain.settimeout(_left_s(deadline_s))
                plain = _tls().wrap_socket(plain, server_hostname=target.host)
        except BaseException:
            plain.close()
            raise
        self._limited = _LimitedSocket(plain, deadline_s)
        self.sock: Any = self._limited

    def end_by(self, deadline_s: float) -> None:
        """Ends earlier than at its deadline, if that is later."""
        if self._limited is not None:
            self._limited.deadline_s = min(deadline_s, self._limited.deadline_s)

    def close(self) -> None:
        """Ends it, also while a response is read."""
        super().close()
        if self._limited is not None:
            self._limited.end()


class _LimitedSocket:
    """What `http.client` uses of a socket, where every wait ends at the deadline."""

    def __init__(self, sock: socket.socket, deadline_s: float) -> None:
        self._sock, self.deadline_s = sock, deadline_s
        self._received = 0

    def sendall(self, data: bytes) -> None:
        """Sends all, or raises `TimeoutError`."""
        view = memoryview(data)
        while view:
            self._sock.settimeout(_left_s(self.deadline_s))
            view = view[self._sock.send(view[:_AT_ONCE]) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What comes back."""
        return io.BufferedReader(_Incoming(self))

    def receive_into(self, buffer: memoryview) -> int:
        """As `socket.recv_into`."""
        if self._received > MOST_RECEIVED:
            raise OSError("its answer is too long")
        self._sock.settimeout(_left_s(self.deadline_s))
        received = self._sock.recv_into(buffer)
        self._received += received
        return received

    def close(self) -> None:
        """`http.client` closes it while a response is still to be read."""

    def end(self) -> None:
        """Closes the connection."""
        self._sock.close()


class _Incoming(io.RawIOBase):
    """The bytes that come."""

    def __init__(self, sock: _LimitedSocket) -> None:
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._sock.receive_into(memoryview(buffer))


def _connected(target: Target, deadline_s: float, *, private: bool) -> socket.socket:
    """A connection to the first of the target's addresses that is allowed and can be reached."""
    latest: Exception = OSError("the name leads to no address")
    for family, kind, protocol, _, address in _looked_up(target, deadline_s):
        try:
            return _connected_to(family, kind, protocol, address, deadline_s, private=private)
        except TimeoutError:
            raise
        except OSError as error:
            latest = error
    raise latest


def _looked_up(target: Target, deadline_s: float) -> Sequence[Any]:
    """Where the target's name leads. What looks it up cannot be cut short, and may take a minute:
    it is left behind then, as a thread that ends by itself."""
    found = list[Any]()

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            found.append(error)

    thread = threading.Thread(target=look_up, name="look-up", daemon=True)
    thread.start()
    thread.join(_left_s(deadline_s))
    if not found:
        raise TimeoutError
    if isinstance(found[0], Exception):
        raise found[0]
    addresses: Sequence[Any] = found[0]
    return addresses


def _connected_to(
    family: int, kind: int, protocol: int, address: Any, deadline_s: float, *, private: bool
) -> socket.socket:
    _check(address, private=private)
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(_left_s(deadline_s))
        sock.connect(address)
        _check(sock.getpeername(), private=private)  # who it is in fact
    except BaseException:
        sock.close()
        raise
    return sock


def _check(address: Any, *, private: bool) -> None:
    """Raises `OSError` where nothing may be sent to a socket's address."""
    if (why := refusal(str(address[0]), private=private)) is not None:
        raise OSError(f"its address {why}")


def _left_s(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


@cache
def _tls() -> ssl.SSLContext:
    """Certificates are checked, by the system's list or that in `SSL_CERT_FILE`."""
    return ssl.create_default_context()
