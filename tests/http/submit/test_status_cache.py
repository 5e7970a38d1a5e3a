"""What may be answered without asking Redis, and for how long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from doneyet.task_types import Registry
from http_server.submit import status_cache
from http_server.submit.bounded_cache import BoundedCache
from http_server.submit.parse import Body, BodyCache, InputParser, Parsed
from tests.helpers import wait_until
from tests.http.fakes import FakeManager
from tests.http.submit.test_asking import DONE, ask


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
    for module in ("status_cache", "long_poll"):
        monkeypatch.setattr(f"http_server.submit.{module}.time", clock)
    return clock


def test_a_pending_answer_is_as_redis_tells_it(client: FlaskClient, manager: FakeManager) -> None:
    """Each poll of what is not done keeps it alive, and tells how it is now."""
    for _ in range(3):
        ask(client, 6)
    assert len(manager.rounds) == 3


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


def test_what_is_remembered_is_counted_by_type(
    app: Flask, client: FlaskClient, manager: FakeManager, clock: Clock
) -> None:
    """Each answer that Redis was not asked about, also where an array is of several types."""
    remembered = app.extensions["doneyet"].cache.remembered
    alike = [{"number": number} for number in range(2, 22)]
    mixed = [{"question": "q", "model": model} for model in ("bert", "roberta", "bert")]
    for path, items in (("/factorize", alike), ("/question-answering", mixed)):
        client.post(path, json=items)
        manager.finish_all()
        client.post(path, json=items)
        assert not remembered.total()
        client.post(path, json=items)
        counts = dict(remembered)
        remembered.clear()
        if items is alike:
            assert counts == {"factorization": 20}
            clock.now_s += 0.3
            client.post(path, json=items)
            assert remembered == {"factorization": 19}, "one was asked about, for the load"
            remembered.clear()
        else:
            assert counts == {"question-answering/bert": 2, "question-answering/roberta": 1}


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
    clock.now_s += status_cache.KEPT_S + 1
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


def test_news_during_a_submit_is_not_lost(
    app: Flask, client: FlaskClient, manager: FakeManager
) -> None:
    """What a submit says that was on its way when news came is told, and not kept."""
    cache = app.extensions["doneyet"].cache
    task_id = ask(client, 6)["id"]
    manager.finish(task_id, DONE)
    manager.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        on_its_way = pool.submit(lambda: ask(app.test_client(), 6))
        wait_until(lambda: len(manager.rounds) == 2, description="the poll is on its way")
        cache.doubt([task_id])
        manager.gate.set()
        assert on_its_way.result(5)["done"]
    assert len(cache._kept) == 0
    ask(client, 6)
    assert len(manager.rounds) == 3
    assert len(cache._kept) == 1


def test_news_that_is_remembered_is_bounded(
    client: FlaskClient, app: Flask, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where more came during a submit than is remembered, nothing of it is kept."""
    monkeypatch.setattr("http_server.submit.status_cache.MOST_RECENT", 3)
    cache = app.extensions["doneyet"].cache
    manager.finish(ask(client, 6)["id"], DONE)
    manager.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        on_its_way = pool.submit(lambda: ask(app.test_client(), 6))
        wait_until(lambda: len(manager.rounds) == 2, description="the poll is on its way")
        cache.doubt(f"{number:040x}" for number in range(9))
        manager.gate.set()
        assert on_its_way.result(5)["done"]
    assert len(cache._doubted) == 3
    assert len(cache._kept) == 0


def test_equal_inputs_share_a_status(client: FlaskClient, manager: FakeManager) -> None:
    """Another way to write the same input is the same task, and needs no round trip."""
    manager.finish(ask(client, 6)["id"], DONE)
    ask(client, 6)
    before = len(manager.rounds)
    client.post("/factorize", data=b'{ "number" : "6" }', content_type="application/json")
    assert len(manager.rounds) == before


def test_all_that_is_kept_is_counted(registry: Registry) -> None:
    """Of a body its path, content type and query string, too; of its task input and echo."""
    kept: BoundedCache[Body, Parsed] = BoundedCache(10_000_000)
    parser = BodyCache(InputParser([registry.types["upper"]]), kept)
    long = "x" * 50_000
    parser.parse(Body("/upper", f"application/json; a={long}", "", b'{"text": "a"}'))
    assert 50_000 < kept.bytes < 60_000
    parser.parse(Body("/upper", "application/json", f"extra={long}", b'{"text": "a"}'))
    assert kept.bytes > 200_000  # as query string, as input and as echo


def test_a_finished_status_counts_its_body(
    app: Flask, client: FlaskClient, manager: FakeManager
) -> None:
    """All that is kept of it."""
    cache = app.extensions["doneyet"].cache
    manager.finish(ask(client, 6)["id"], b'{"answer":"%b"}' % (b"x" * 50_000))
    ask(client, 6)
    assert cache._kept.bytes > 50_000


def test_bodies_with_wrong_items_are_not_kept(client: FlaskClient) -> None:
    """What is wrong with them is said each time, in its place."""
    for _ in range(2):
        answers = client.post("/factorize", json=[{"number": 1}, {"number": 6}, "x"]).get_json()
        assert [answer["status"] for answer in answers] == [422, "waiting", 422]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60))))
def test_cache_bounds(puts: list[tuple[int, int]]) -> None:
    """The bound is never exceeded; the newest that fits is always there, and counted once."""
    cache: BoundedCache[int, int] = BoundedCache(200)
    for key, size in puts:
        cache.put(key, size, size)
        assert cache.bytes <= 200
        assert cache.bytes == sum(size for _, size in cache._items.values())
        assert cache.get(key) == (size if size * 8 <= 200 else None)
    for key in range(10):
        cache.drop(key)
    assert (len(cache), cache.bytes) == (0, 0)
