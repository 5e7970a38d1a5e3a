"""What is to be broken: a Redis behind a proxy, two servers, two workers of two processes each."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from pathlib import Path

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.system import System
from tests.chaos import chaos_tasks
from tests.faults.redis.muting_proxy import MutingProxy
from tests.faults.redis.refusing_redis import RefusingRedis
from tests.http.keys.conftest import line
from tests.http.webhooks.receiver import SECRET as WEBHOOK_SECRET

SECRET = "dyk_never-to-be-seen-anywhere"
GRACE_S = 3.0


class Installation:
    """Runs until closed. All that it is told of Redis goes through `network` and `refusals`.

    Redis writes down all that it is told, since whoever asked once for a webhook does not ask
    again; what becomes of tasks where it forgets everything is for other tests.
    """

    def __init__(self, queue_mode: str, folder: Path) -> None:
        self.storage, self._stack = folder / "storage", ExitStack()
        self.storage.mkdir()
        keys = folder / "keys.txt"
        keys.write_text(line("chaos", "operate", SECRET))
        self.redis = EmbeddedRedis(tcp=True, append_only=True)
        self._stack.callback(self.redis.stop)
        self.refusals = self._stack.enter_context(RefusingRedis(self.redis.url))
        self.network = self._stack.enter_context(MutingProxy(self.refusals.url))
        settings = {
            "DONEYET_TASKS": chaos_tasks.__name__,
            "DONEYET_KEYS": str(keys),
            "DONEYET_STORAGE": str(self.storage),
            "DONEYET_WEBHOOK_SECRETS": f"whsec_{WEBHOOK_SECRET}",
            "DONEYET_WEBHOOK_HTTP": "true",
            "DONEYET_WEBHOOK_PRIVATE": "true",
            "DONEYET_LEASE_S": "2",
            "DONEYET_INPUT_TTL_S": "20",
            "DONEYET_LOG_LEVEL": "info",
        }
        self.systems = [
            System(
                queue_mode=queue_mode,
                processes=2,
                redis_url=self.network.url,
                settings=settings,
                grace_s=GRACE_S,
            )
            for _ in range(2)
        ]
        self.logs = ""
        """What all programs that have ended wrote."""
        self._lock = threading.Lock()

    @property
    def urls(self) -> list[str]:
        """Where the servers are, or will be again."""
        return [system.url for system in self.systems]

    def __enter__(self) -> Installation:
        try:
            for system in self.systems:
                self._stack.callback(self._stop, system)
                system.start_http_server()
                system.start_worker()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def restart_server(self, at: int) -> None:
        """Starts a server again, whatever became of it."""
        self.keep_log(at)
        self.systems[at].start_http_server()

    def restart_worker(self, at: int) -> None:
        """Starts a worker again, whatever became of it."""
        self.keep_log(at)
        self.systems[at].start_worker()

    def keep_log(self, at: int) -> None:
        """Keeps the ends of what one system's programs have said so far."""
        with self._lock:
            for part in (self.systems[at].http_server, self.systems[at].worker):
                if part is not None:
                    self.logs += part.log_tail() + "\n"

    def _stop(self, system: System) -> None:
        self.keep_log(self.systems.index(system))
        system.stop()


def descendants(pid: int) -> list[int]:
    """All processes that descend from one that runs, as far as they run themselves."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        children = [int(child) for child in path.read_text().split()]
    except OSError:
        return []
    return [each for child in children for each in (child, *descendants(child))]


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
