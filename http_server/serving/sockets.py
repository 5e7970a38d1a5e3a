"""What granian leaves to the kernel: clients that read nothing, and clients that say nothing.

granian makes its sockets itself and shows none; on Linux they are found among this process' files.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

UNREAD_S = 15
"""How long a client may leave a response unread before its connection is dropped."""

SILENT_S: float = 30
"""How long a new connection may send nothing; granian ends those that stop halfway by itself."""

_FILES = Path("/proc/self/fd")
_INFO_BYTES = 136
_LAST_RECEIVED_MS = struct.Struct("52xI")  # struct tcp_info of <linux/tcp.h>
_RECEIVED_BYTES = struct.Struct("128xQ")


def listening_port() -> int | None:
    """The port that this process listens at, None while there is none yet.

    Its connections, which inherit it, are dropped from then on when their client reads nothing.
    """
    port = None
    for each in _sockets():
        with each, suppress(OSError):
            if each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_S * 1000)
                port = int(each.getsockname()[1])
    return port


def close_silent(port: int) -> None:
    """Ends the connections to `port` that have sent nothing for `SILENT_S`, not a byte ever."""
    for each in _sockets():
        with each, suppress(OSError, struct.error):
            if each.getsockname()[1] != port:
                continue
            info = each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
            (since_ms,) = _LAST_RECEIVED_MS.unpack_from(info)
            (received,) = _RECEIVED_BYTES.unpack_from(info)
            if received == 0 and since_ms > SILENT_S * 1000:
                each.shutdown(socket.SHUT_RDWR)


def are_shown() -> bool:
    """Whether this system shows a process' sockets."""
    return _FILES.is_dir() and hasattr(socket, "TCP_USER_TIMEOUT")


def _sockets() -> Iterator[socket.socket]:
    """A second handle of each TCP socket of this process; whoever gets it closes it."""
    for path in _FILES.iterdir():
        with suppress(OSError):
            if not str(path.readlink()).startswith("socket:"):
                continue
            handle = socket.socket(fileno=os.dup(int(path.name)))
            if handle.family in (socket.AF_INET, socket.AF_INET6):
                yield handle
            else:
                handle.close()
