"""A rolling update, and its rollback, while clients ask: each answer is of the version asked."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis
import requests

from doneyet.local.system import System
from tests.faults.fault_tasks import VERSION
from tests.helpers import wait_until

CLIENTS = 2

UPDATES = [
    ("random", "1", "2", 3400),
    ("distributed", "1", "2", 3400),
    ("distributed", "2", "1", 3400),
    ("ordered", "2", "1", 3400),
    ("rq", "1", "2", 20),
]
"""Queue mode, version before, version after, and answers in each of three parts of the update: few
with RQ, whose workers take jobs of both versions, so that these are made anew when asked for."""


class Clients:
    """Ask whatever server is in service for new numbers, again and again until all are answered."""

    def __init__(self, in_service: dict[str, str], answers_in_a_part: int) -> None:
        self.in_service = in_service
        """URL by version."""
        self._in_a_part, self._at_once = answers_in_a_part, max(5, answers_in_a_part // 20)
        self.answers: Counter[str] = Counter()
        """By version."""
        self.wrong: list[object] = []
        self._numbers = itertools.count()
        self._over = False
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "all that was asked is answered"

    def wait_for_answers(self, version: str) -> None:
        """Returns when there are as many more of the version."""
        wanted = self.answers[version] + self._in_a_part
        wait_until(
            lambda: self.wrong or self.answers[version] >= wanted,
            description=f"version {version} answers under load",
            timeout_s=60,
        )
        assert not self.wrong

    def _ask(self) -> None:
        while not (self._over or self.wrong):
            asked = [{"n": next(self._numbers)} for _ in range(self._at_once)]
            while not self._is_answered(asked) and not self.wrong:
                pass

    def _is_answered(self, asked: list[dict[str, int]]) -> bool:
        version, url = random.choice([*self.in_service.items()])
        try:
            reply = requests.post(
                f"{url}/versioned", json=asked, headers={"Prefer": "wait=1"}, timeout=30
            )
        except requests.ConnectionError:
            return False  # it went out of service meanwhile
        if not reply.ok:
            self.wrong.append((version, reply.status_code, reply.text))
            return False
        told = reply.json()
        done = [each for each in told if each["done"]]
        self.wrong += [
            (version, each)
            for each in told
            if (each["done"] and each["by"] != version) or each["status"] not in OPEN_OR_DONE
        ]
        if len(done) < self._at_once:
            return False
        self.answers[version] += self._at_once
        return True


OPEN_OR_DONE = {"waiting", "running", "done"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Stops all that was started."""
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(("mode", "before", "after", "answers"), UPDATES)
def test_update_under_load(
    mode: str,
    before: str,
    after: str,
    answers: int,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    stack: ExitStack,
) -> None:
    """Of 10,000 answers (60 of rq) none is of the other version, nothing fails, all is answered;
    what only the old version knew expires."""

    def system(version: str) -> System:
        monkeypatch.setenv(VERSION, version)
        settings = {
            "DONEYET_TASKS": "tests.faults.fault_tasks",
            "DONEYET_LOG_LEVEL": "warning",
            "DONEYET_INPUT_TTL_S": "4",
        }
        made = System(
            queue_mode=mode, redis_url=redis_url, processes=1, settings=settings, grace_s=5
        )
        stack.callback(made.stop)
        return made

    old = system(before)
    old.start_http_server()
    old.start_worker()
    with Clients({before: old.url}, answers) as clients:
        clients.wait_for_answers(before)
        new = system(after)
        new.start_http_server()
        clients.in_service[after] = new.url  # nothing answers its tasks yet
        new.start_worker()
        clients.wait_for_answers(after)
        assert old.worker is not None
        assert old.http_server is not None
        old.worker.stop()
        del clients.in_service[before]
        old.http_server.stop()
        clients.wait_for_answers(after)
    assert not clients.wrong
    with redis.Redis.from_url(redis_url) as server:
        wait_until(
            lambda: not server.keys("*waiting*") and not server.keys("*running*"),
            description="what nobody asks for any more has expired",
        )
