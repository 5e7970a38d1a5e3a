"""`python -m benchmarks.servers.bare_server PORT`: answers everything alike, from a socket.

It costs about as much as the client program, which can do more than it reaches with this one.
"""

from __future__ import annotations

import selectors
import socket
import sys

from benchmarks.clients.load import READ_BYTES, answer_end

ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"done":true}'
)


def serve(port: int) -> None:
    """Serves until it is ended."""
    listening = socket.create_server(("127.0.0.1", port), backlog=1024)
    data: dict[socket.socket, bytes] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(listening, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listening:
                    connection, _ = listening.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    selector.register(connection, selectors.EVENT_READ)
                    data[connection] = b""
                    continue
                asked = key.fileobj
                assert isinstance(asked, socket.socket)
                part = asked.recv(READ_BYTES)
                if not part:
                    selector.unregister(asked)
                    asked.close()
                    del data[asked]
                    continue
                data[asked] += part
                # A GET, with which one looks whether it serves, has no length.
                end = 1 if part.startswith(b"GET ") else answer_end(data[asked])
                if end and len(data[asked]) >= end:
                    data[asked] = b""
                    asked.sendall(ANSWER)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
