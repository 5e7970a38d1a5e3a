"""A system whose Redis may refuse or fall silent, and what is right meanwhile and afterwards.

System → muting proxy → refusing proxy → a real server.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
import requests

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.managed_process import Part
from doneyet.local.system import System
from doneyet.task_types.task_id import type_tag
from tests.conftest import wait_until_all_keys_expire
from tests.faults.conftest import SETTINGS
from tests.faults.redis.muting_proxy import MutingProxy
from tests.faults.redis.refusing_redis import RefusingRedis
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch

HARMLESS = ("UNBLOCKED", "NOSCRIPT")
"""Refusals that no client needs to notice."""
NUMBERS = itertools.count(1)


class Polling:
    """A client that asks for eight new numbers again and again until all are answered."""

    def __init__(self, url: str) -> None:
        self.numbers = [next(NUMBERS) for _ in range(8)]
        self.statuses: set[int] = set()
        self.bugs: list[str] = []
        """Replies that are neither an answer nor a refusal."""
        self.slowest_s = 0.0
        self._watch = Stopwatch()
        self._url = url
        self._give_up_s = time.monotonic() + 40
        self._answers: list[Any] = []
        self._latest = ""
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def assert_answered(self) -> None:
        """All came, each the right one; no reply was a bug, or late."""
        self._thread.join()
        assert self._answers, f"not done: {self._latest}"
        assert [answer["square"] for answer in self._answers] == [n**2 for n in self.numbers]
        assert not self.bugs
        assert self._watch.within_s(2.5, self.slowest_s), self._watch  # of which 2 s are promised

    def _poll(self) -> None:
        while time.monotonic() < self._give_up_s:
            began_s = time.monotonic()
            reply = requests.post(
                f"{self._url}/slow", json=[{"n": n} for n in self.numbers], timeout=10
            )
            self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
            self.statuses.add(reply.status_code)
            self._latest = reply.text
            if reply.status_code not in (200, 503):
                self.bugs.append(f"{reply.status_code}: {reply.text}")
            if reply.ok and all(answer["done"] for answer in reply.json()):
                self._answers = reply.json()
                return
            time.sleep(0.05)


class Log:
    """What a program writes to its log from now on."""

    def __init__(self, part: Part, *, from_start: bool = False) -> None:
        self._part, self._before = part, 0 if from_start else len(part.log_tail())

    def new_lines(self) -> list[str]:
        """What it wrote of Redis."""
        lines = self._part.log_tail()[self._before :].splitlines()
        return [line for line in lines if "Redis" in line and "queue mode, Redis at" not in line]

    def says(self, text: str, running: Running) -> bool:
        """Whether it wrote `text` by now; the server knows when somebody asks."""
        running.status("/readyz")
        return any(text in line for line in self.new_lines())


class Running:
    """A system, its Redis, and what stands between."""

    def __init__(self, queue_mode: str, runs_file: Path) -> None:
        self.redis = EmbeddedRedis(tcp=True)
        self.refusing = RefusingRedis(self.redis.url)
        self.muting = MutingProxy(self.refusing.url)
        self.admin = redis.Redis.from_url(self.redis.url)
        self._runs_file = runs_file
        self.system = System(
            queue_mode=queue_mode,
            redis_url=self.muting.url,
            processes=1,
            settings={**SETTINGS, "DONEYET_LEASE_S": "5"},
            grace_s=2,
        )
        try:
            self.system.start()
        except BaseException:
            self.stop()
            raise
        self.pid = self.worker.pid

    @property
    def worker(self) -> Part:
        assert self.system.worker is not None
        return self.system.worker

    @property
    def server(self) -> Part:
        assert self.system.http_server is not None
        return self.system.http_server

    def stop(self) -> None:
        self.system.stop()
        self.admin.close()
        self.muting.close()
        self.refusing.close()
        self.redis.stop()

    def wait_until_nothing_is_amiss(self) -> None:
        """Returns when neither program counts Redis as away, for which a busy machine is enough."""

        def is_calm() -> bool:
            requests.post(f"{self.system.url}/slow", json={"n": next(NUMBERS)}, timeout=10)
            latest = [Log(part, from_start=True).new_lines() for part in (self.worker, self.server)]
            # A reply that cannot be read is told of by itself, perhaps after Redis is back.
            told = [[line for line in lines if " task_manager." not in line] for lines in latest]
            return all("is back" in lines[-1] for lines in told if lines)

        wait_until(is_calm, description="Redis is back for all")

    def poll_until_it_runs(self) -> Polling:
        """Eight tasks, one batch of which runs now."""
        polling = Polling(self.system.url)

        def begun() -> bool:
            ran = self._runs_file.read_text() if self._runs_file.exists() else ""
            return any(f"{n} " in line for line in ran.splitlines() for n in polling.numbers[:1])

        wait_until(begun, description="the first task runs")
        return polling

    @contextlib.contextmanager
    def refusing_with(self, error: str) -> Iterator[None]:
        """Meanwhile every command is refused so. Begins with a batch that runs, whose client polls
        on; at the end all of it is answered and all is well."""
        polling = self.poll_until_it_runs()
        self.refusing.refuse(error)
        try:
            yield
        finally:
            self.refusing.relent()
        polling.assert_answered()
        self.assert_all_is_well()

    def assert_noticed(self, error: str) -> None:
        """Clients are told, where it is one of the refusals that they need to notice."""
        if error in HARMLESS:
            wait_until(lambda: self.refusing.refused > 3, description="it was refused often")
        else:
            self.assert_refuses_well()

    def status(self, path: str) -> int:
        """What a GET is answered with."""
        return requests.get(self.system.url + path, timeout=10).status_code

    def assert_refuses_well(self) -> None:
        """A new task is a 503 with `Retry-After` within 2 s, and the server is not ready."""

        def refused() -> list[requests.Response]:  # in a list, since it is false by itself
            watch = Stopwatch()
            reply = requests.post(f"{self.system.url}/slow", json={"n": next(NUMBERS)}, timeout=10)
            assert watch.within_s(2.5), watch
            assert reply.status_code in (200, 202, 503), reply.text
            return [reply] if reply.status_code == 503 else []

        (reply,) = wait_until(refused, description="a new task is refused")
        assert reply.headers["content-type"] == "application/problem+json"
        assert int(reply.headers["retry-after"]) >= 1
        ready = requests.get(f"{self.system.url}/readyz", timeout=10)
        assert ready.status_code == 503, f"{ready.status_code}: {ready.text}"
        assert self.status("/load") in (200, 503), "it needs no writes"
        assert self.status("/metrics/queue") in (200, 503)
        unknown = type_tag("slow").ljust(40, "0")  # else no Redis would be asked
        assert self.status(f"/tasks/{unknown}") in (404, 503)
        assert self.status(f"/tasks/{unknown}/events") in (404, 503)
        assert self.status("/healthz") == 200

    def assert_all_is_well(self) -> None:
        """The same supervisor goes on, nothing waits or runs any more, no key lives for ever."""
        wait_until(lambda: self.status("/readyz") == 200, description="it is ready again")
        wait_until(self._idle, description="nothing waits or runs", timeout_s=30)
        assert self.worker.running
        assert self.worker.pid == self.pid
        wait_until_all_keys_expire(self.redis.url)

    def _idle(self) -> bool:
        reply = requests.get(f"{self.system.url}/load", timeout=10)
        return reply.ok and reply.json()["load"] == 0
