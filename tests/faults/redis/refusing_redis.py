"""A proxy in front of a real Redis that can be told to answer commands with an error, or garbage.

    with RefusingRedis(server.url) as proxy:
        ... use proxy.url ...
        proxy.refuse("MISCONF")               # what a real server refuses then; see `REFUSALS`
        proxy.refuse("NOPERM", "BLPOP")       # these commands only
        proxy.refuse("ODD something", "PING") # any other error line; without commands: all of them
        proxy.garble(b"*1\r\n:7\r\n")         # these bytes in the place of each reply
        proxy.pretend_version("6.0.16")       # INFO tells of an old server
        proxy.relent()                        # everything works again

A refused command does not reach the server. Scripts count as EVALSHA (or EVAL), whatever they
call. `refused` counts what was refused since the last change.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading

from tests.faults.redis.muting_proxy import connect

WRITES = ("EVALSHA", "EVAL", "BLPOP", "SET", "DEL", "ZREM", "RPUSH")
EVERYTHING: tuple[str, ...] = ()
"""In the place of commands: all of them, AUTH, SELECT and PING included."""

REFUSALS: dict[str, tuple[str, tuple[str, ...]]] = {
    "MISCONF": ("MISCONF Redis is set to save, but cannot write to its disk.", WRITES),
    "NOREPLICAS": ("NOREPLICAS Not enough good replicas to write.", WRITES),
    "READONLY": ("READONLY You can't write against a read only replica.", WRITES),
    "OOM": ("OOM command not allowed when used memory > 'maxmemory'.", WRITES),
    "MASTERDOWN": ("MASTERDOWN Link with MASTER is down.", EVERYTHING),
    "LOADING": ("LOADING Redis is loading the dataset in memory", EVERYTHING),
    "BUSY": ("BUSY Redis is busy running a script.", EVERYTHING),
    "NOAUTH": ("NOAUTH Authentication required.", EVERYTHING),
    "NOPERM": ("NOPERM this user has no permissions to run the command", WRITES),
    "CLUSTERDOWN": ("CLUSTERDOWN The cluster is down", WRITES),
    "TRYAGAIN": ("TRYAGAIN Multiple keys request during rehashing of slot", WRITES),
    "UNBLOCKED": ("UNBLOCKED client unblocked via CLIENT UNBLOCK", ("BLPOP",)),
    "NOSCRIPT": ("NOSCRIPT No matching script.", ("EVALSHA",)),
    "EXECABORT": ("EXECABORT Transaction discarded because of previous errors.", WRITES),
    "MAXCLIENTS": ("ERR max number of clients reached", EVERYTHING),
    "UNKNOWN": ("ODD this has never been seen before", EVERYTHING),
}
"""By name: the line that a server says then, and which commands it refuses."""


class RefusingRedis:
    """Listens on a free loopback port; one thread for each connection."""

    def __init__(self, url: str) -> None:
        self._upstream = url
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._reply: bytes | None = None
        self._commands: tuple[str, ...] = EVERYTHING
        self._version: str | None = None
        self.refused = 0
        threading.Thread(target=self._accept, name="refusing-redis", daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The URL of the Redis through this proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    def refuse(self, error: str, *commands: str) -> None:
        """Refuses from now on: `error` is a name of `REFUSALS`, or a whole error line."""
        line, usual = REFUSALS.get(error, (error, EVERYTHING))
        self._change(f"-{line}\r\n".encode(), commands or usual)

    def garble(self, reply: bytes = b"?what\r\n", *commands: str) -> None:
        """Answers `commands`, or all, with these bytes from now on."""
        self._change(reply, commands)

    def relent(self) -> None:
        """Passes everything on again."""
        self._change(None, EVERYTHING)

    def pretend_version(self, version: str | None) -> None:
        """Lets INFO and HELLO tell of this Redis version; None: of the real one."""
        self._version = version

    def close(self) -> None:
        """Closes everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for each in connections:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> RefusingRedis:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reply_to(self, command: str) -> bytes | None:
        """What to say in the server's place; None: ask the server."""
        with self._lock:
            if self._reply is None or (self._commands and command not in self._commands):
                return None
            self.refused += 1
            return self._reply

    def disguise(self, command: str, reply: bytes) -> bytes:
        """`reply`, with the pretended version where it tells of one."""
        if self._version is None or command not in ("INFO", "HELLO"):
            return reply
        if command == "HELLO":
            return b"-ERR unknown command 'HELLO'\r\n"
        _, _, body = reply.partition(b"\r\n")
        text = re.sub(rb"valkey_version:[^\r]*\r\n", b"", body[:-2])
        text = re.sub(rb"redis_version:[^\r]*", f"redis_version:{self._version}".encode(), text)
        return b"$%d\r\n%s\r\n" % (len(text), text)

    def _change(self, reply: bytes | None, commands: tuple[str, ...]) -> None:
        with self._lock:
            self._reply, self._commands, self.refused = reply, commands, 0

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        try:
            server = connect(self._upstream)
            with self._lock:
                self._connections |= {client, server}
            _Conversation(self, client, server).run()
        except OSError:
            pass
        finally:
            for each in (client, server):
                if each is not None:
                    with self._lock:
                        self._connections.discard(each)
                    each.close()


class _Conversation:
    """One client's commands, answered one after another; after SUBSCRIBE whatever comes."""

    def __init__(self, proxy: RefusingRedis, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._commands, self._replies = _Reader(client), _Reader(server)
        self._subscribed = False

    def run(self) -> None:
        """Until either side is gone."""
        while True:
            if self._subscribed:
                while not self._commands.buffered and self._replies.ready(self._client):
                    self._client.sendall(self._replies.value())
            request = self._commands.value()
            command = request.split(b"\r\n", 3)[2].decode().upper()
            refusal = self._proxy.reply_to(command)
            if refusal is not None:
                self._client.sendall(refusal)
                continue
            self._server.sendall(request)
            self._subscribed |= command == "SUBSCRIBE"
            self._client.sendall(self._proxy.disguise(command, self._replies.value()))


class _Reader:
    """Whole RESP values, as the bytes that they are."""

    def __init__(self, source: socket.socket) -> None:
        self._source, self._buffer = source, b""

    @property
    def buffered(self) -> bool:
        return bool(self._buffer)

    def ready(self, other: socket.socket) -> bool:
        """Waits for bytes here (True) or at `other` (False)."""
        if self._buffer:
            return True
        readable, _, _ = select.select([self._source, other], [], [])
        return self._source in readable

    def value(self) -> bytes:
        """The next value; `ConnectionError` at the end."""
        line = self._line()
        if line[:1] == b"$" and line != b"$-1\r\n":
            return line + self._exactly(int(line[1:]) + 2)
        if line[:1] == b"*":
            return line + b"".join(self.value() for _ in range(max(0, int(line[1:]))))
        return line

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._fill()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line + b"\r\n"

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _fill(self) -> None:
        data = self._source.recv(1 << 16)
        if not data:
            raise ConnectionError("closed")
        self._buffer += data
