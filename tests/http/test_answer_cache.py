"""What may be answered without asking Redis, and for how long."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from http_server.ask import answer_cache
from http_server.ask.fifo_cache import FifoCache
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
    for module in ("answer_cache", "service", "route"):
        monkeypatch.setattr(f"http_server.ask.{module}.time", clock)
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


def test_a_finished_answer_is_not_repeated_past_its_expiry(
    client: FlaskClient, manager: FakeManager, clock: Clock
) -> None:
    """Not for a moment: when its result is gone, Redis is asked."""
    task_id = ask(client, 6)["id"]
    manager.finish(task_id, DONE)
    manager.tasks[task_id].expires_ms = int((clock.now_s + 2) * 1000)
    assert ask(client, 6)["done"]
    manager.tasks.clear()
    clock.now_s += 1.9
    ask(client, 7)  # so that the load is known
    assert ask(client, 6)["done"]
    clock.now_s += 0.1
    assert not ask(client, 6)["done"]


def test_no_news_is_lost_of_two(app: Flask, client: FlaskClient) -> None:
    """Of two threads that doubt an answer at once neither undoes what the other did: an answer that
    was asked for between the two is doubted by the second."""
    cache = app.extensions["doneyet"].cache
    task_id = ask(client, 6)["id"]
    question = cache._by_id[task_id]
    between: list[int] = []

    class Interrupted(int):
        """A thread that adds to it is interrupted by one that does the same."""

        def __add__(self, other: int) -> int:
            if not between:
                between.append(0)
                cache.doubt(task_id)
                between[:] = [question.news]
            return int(self) + other

    question.news = Interrupted(0)
    cache.doubt(task_id)
    assert question.news not in between
    assert question.news != 0
    assert question.known is None


def test_equal_questions_share_an_answer(client: FlaskClient, manager: FakeManager) -> None:
    """Another way to write the same input is the same task, and needs no round trip."""
    client.post("/factorize", data=b'{"number":6}', content_type="application/json")
    client.post("/factorize", data=b'{ "number" : "6" }', content_type="application/json")
    assert len(manager.rounds) == 1


def test_all_that_is_kept_is_counted(app: Flask, client: FlaskClient) -> None:
    """Of a body its content type and query string, too; of an answer its input and echo."""
    cache = app.extensions["doneyet"].cache
    long = "x" * 50_000
    client.post("/factorize", data=b'{"number": 6}', content_type=f"application/json; a={long}")
    assert cache._by_body.bytes > 50_000
    client.post(f"/upper?extra={long}", json={"text": "a"})
    assert cache._by_body.bytes > 200_000  # as itself, as input and as echo, twice


def test_a_finished_answer_counts_its_input(
    app: Flask, client: FlaskClient, manager: FakeManager
) -> None:
    """The question is kept with the answer."""
    cache = app.extensions["doneyet"].cache
    task_id = client.post("/question-answering", json={"question": "q", "context": "x" * 50_000})
    manager.finish(task_id.get_json()["id"], b'{"answer":"a"}')
    client.post("/question-answering", json={"question": "q", "context": "x" * 50_000})
    assert cache._finished.bytes > 50_000


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
