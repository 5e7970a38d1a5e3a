"""What may be answered without asking Redis, and for how long."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from http_server import answer_cache
from http_server.fifo_cache import FifoCache
from tests.http.fakes import FakeManager
from tests.http.test_asking import DONE, ask


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of everything in http_server that measures freshness."""
    clock = Clock()
    for module in ("answer_cache", "asking", "ask_routes"):
        monkeypatch.setattr(f"http_server.{module}.time", clock)
    return clock


def test_a_pending_answer_is_repeated_for_a_moment(
    client: FlaskClient, manager: FakeManager, clock: Clock
) -> None:
    """Within 250 ms the same pending answer, then Redis is asked again."""
    ask(client, 6)
    clock.now_s += 0.2
    ask(client, 6)
    assert len(manager.rounds) == 1
    clock.now_s += 0.1
    ask(client, 6)
    assert len(manager.rounds) == 2


def test_a_finished_answer_needs_redis_only_for_the_load(
    client: FlaskClient, manager: FakeManager, clock: Clock
) -> None:
    """A finished array is repeated, with one task asked about once in 250 ms for the load."""
    items = [{"number": number} for number in range(2, 22)]
    client.post("/factorize", json=items)
    manager.finish_all()
    client.post("/factorize", json=items)
    before = len(manager.rounds)
    client.post("/factorize", json=items)
    assert len(manager.rounds) == before
    clock.now_s += 0.3
    client.post("/question-answering", json={"question": "q"})  # another type tells nothing
    before = len(manager.rounds)
    client.post("/factorize", json=items)
    assert [len(round_) for round_ in manager.rounds[before:]] == [1]


def test_no_load_is_older_than_told(
    client: FlaskClient, manager: FakeManager, clock: Clock
) -> None:
    """All answers of an array tell the newest load."""
    items = [{"number": number} for number in range(2, 5)]
    client.post("/factorize", json=items)
    manager.finish_all()
    client.post("/factorize", json=items)
    ask(client, 100)
    clock.now_s += 0.3
    answers = client.post("/factorize", json=items).get_json()
    assert [answer["load"] for answer in answers] == [1, 1, 1]


def test_news_ends_a_pending_answer(client: FlaskClient, manager: FakeManager) -> None:
    """A finished task is seen by the next poll, however fresh the pending answer is."""
    task_id = ask(client, 6)["id"]
    ask(client, 6)
    manager.finish(task_id, DONE)
    assert ask(client, 6)["done"]


def test_nothing_is_repeated_without_news(
    client: FlaskClient, manager: FakeManager, clock: Clock
) -> None:
    """While the listener is not connected, each poll asks Redis; after it, what was learned
    before is not believed."""
    task_id = ask(client, 6)["id"]
    manager.finish(task_id, DONE)
    ask(client, 6)
    manager.connect(connected=False)
    before = len(manager.rounds)
    ask(client, 6)
    ask(client, 6)
    assert len(manager.rounds) == before + 2
    manager.connect(connected=True)
    ask(client, 6)
    assert len(manager.rounds) == before + 3
    ask(client, 6)
    assert len(manager.rounds) == before + 3


def test_finished_answers_expire(client: FlaskClient, manager: FakeManager, clock: Clock) -> None:
    """A finished answer is believed for a while only."""
    task_id = ask(client, 6)["id"]
    manager.finish(task_id, DONE)
    ask(client, 6)
    before = len(manager.rounds)
    clock.now_s += answer_cache.KEPT_S + 1
    ask(client, 6)
    assert len(manager.rounds) == before + 1


def test_equal_questions_share_an_answer(client: FlaskClient, manager: FakeManager) -> None:
    """Another way to write the same input is the same task, and needs no round trip."""
    client.post("/factorize", data=b'{"number":6}', content_type="application/json")
    client.post("/factorize", data=b'{ "number" : "6" }', content_type="application/json")
    assert len(manager.rounds) == 1


def test_memory_is_bounded(app: Flask, client: FlaskClient) -> None:
    """What is remembered of bodies stays below its bounds."""
    cache = app.extensions["doneyet"].cache
    cache._by_body = FifoCache(most_entries=10, most_bytes=100_000)
    for number in range(2, 40):
        ask(client, number)
    assert len(cache._by_body) == 10
    client.post("/upper", json={"text": "x" * 60_000})
    assert cache._by_body.bytes <= 100_000


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60))))
def test_fifo_cache_bounds(puts: list[tuple[int, int]]) -> None:
    """Neither bound is ever exceeded; the newest that fits is always there."""
    dropped: list[int] = []
    cache: FifoCache[int, int] = FifoCache(5, 200, dropped.append)
    for key, size in puts:
        kept = cache.put(key, size, size)
        assert kept == (size * 8 <= 200)
        assert len(cache) <= 5
        assert cache.bytes <= 200
        if kept:
            assert cache.get(key) == size
