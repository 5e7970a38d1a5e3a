"""When webhooks are sent again, and that none waits for another's host."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from http_server.kept.notice import MOST_MARKED_S, Notice, settled_by
from http_server.webhooks.bodies import COMPLETED, PROGRESS
from http_server.webhooks.delivery import RETRY_S, Attempt, Verdict, _seconds, pause_s
from http_server.webhooks.sender import (
    AT_ONCE,
    AT_ONCE_PER_HOST,
    MOST_QUEUED,
    MOST_QUEUED_PER_HOST,
    Sender,
)
from task_manager.kept import Kept, Progress, Taken
from tests.helpers import wait_until

KEPT = Kept("e", "task", "type", "1", b"{}", url="https://example.org/")


def notice(attempts: int = 0, event: str = COMPLETED, *, is_stored: bool = False) -> Notice:
    """One whose entry has failed so often."""
    taken = Taken(KEPT, "me", 1, Progress(attempts))
    after = Progress(reports=3)
    return Notice(taken, event, b"body", 0.0, after, 7, 100.0, is_stored=is_stored)


def test_pauses_grow() -> None:
    """5 s, 5 min, 30 min, then hours, a fifth more or less; at last it is given up."""
    pauses = [pause_s(failed) for failed in range(1, len(RETRY_S) + 2)]
    assert pauses[-1] is None
    for pause, said in zip(pauses, RETRY_S, strict=False):
        assert pause is not None
        assert 0.8 * said <= pause <= 1.2 * said
    assert len({pause_s(1) for _ in range(20)}) > 10
    assert sum(RETRY_S) > 75 * 3600


def test_receivers_may_want_longer_pauses() -> None:
    """Not shorter ones, and none of more than a day."""
    assert pause_s(1, 60) == 60
    assert 4 <= (pause_s(1, 1) or 0) <= 6
    assert _seconds("120") == 120
    assert _seconds("99999999999999") == 86400
    for nothing in (None, "", "-1", "1.5", "²", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert _seconds(nothing) == 0


def test_an_entry_is_over_when_all_is_told() -> None:
    """A marker stays, as long as the result, at most a day; also where nobody wants it."""
    for verdict in (Verdict.DELIVERED, Verdict.GAVE_UP):
        settled, counted = settled_by(Attempt(verdict), notice())
        assert counted is verdict
        assert (settled.pause_s, settled.keep_s, settled.told_ms) == (None, 100.0, 7)
    settled, _ = settled_by(Attempt(Verdict.DELIVERED), notice()._replace(result_s=1e9))
    assert settled.keep_s == MOST_MARKED_S


def test_a_failed_attempt_is_made_again() -> None:
    """The entry outlives the pause; after the last attempt it is over."""
    settled, counted = settled_by(Attempt(Verdict.FAILED, 50), notice(is_stored=True))
    assert counted is Verdict.FAILED
    assert settled.pause_s == 50
    assert settled.keep_s > 50
    assert settled.progress == Progress(1, body="body", finished_ms=7, result_s=100.0)
    settled, _ = settled_by(Attempt(Verdict.FAILED), notice())
    assert settled.progress == Progress(1)
    settled, counted = settled_by(Attempt(Verdict.FAILED), notice(len(RETRY_S)))
    assert (settled.pause_s, settled.told_ms, counted) == (None, 7, Verdict.GAVE_UP)


@pytest.mark.parametrize("verdict", [Verdict.DELIVERED, Verdict.FAILED])
def test_progress_is_told_once(verdict: Verdict) -> None:
    """Not again where that failed: what comes next says more."""
    settled, _ = settled_by(Attempt(verdict), notice(event=PROGRESS))
    assert settled.pause_s is not None
    assert settled.progress.reports == 3


def test_ids_are_the_same_for_the_same_event() -> None:
    """And for no other."""
    assert notice(0).id == notice(3).id
    others = {notice().id, notice()._replace(finished_ms=8).id, notice(event=PROGRESS).id}
    assert len(others) == 3
    assert not any("." in each for each in others)


def test_a_few_are_sent_at_once() -> None:
    """Fewer to each host; whatever can wait, waits; all of it is done; then no thread is left."""
    sender, go, lock = Sender(), threading.Event(), threading.Lock()
    busy, most, done = Counter[str](), Counter[str](), Counter[str]()

    def work(host: str) -> None:
        with lock:
            busy[host] += 1
            most[host] = max(most[host], busy[host])
            most["all"] = max(most["all"], sum(busy.values()))
        go.wait(30)
        with lock:
            busy[host] -= 1
            done[host] += 1

    def offer(host: str) -> bool:
        return sender.offer(host, lambda: work(host))

    first = [offer("one") for _ in range(100)]
    wait_until(lambda: busy["one"] == AT_ONCE_PER_HOST, description="two are sent")
    assert sum(first) in range(MOST_QUEUED_PER_HOST, MOST_QUEUED_PER_HOST + 3)
    hosts = [f"host{number}" for number in range(30)]
    for host in hosts:
        assert offer(host)
    wait_until(lambda: sum(busy.values()) == AT_ONCE, description="as many as may be")
    accepted = sum(offer(f"many{number}") for number in range(2 * MOST_QUEUED))
    assert accepted < MOST_QUEUED
    go.set()
    wait_until(lambda: not sender._busy, description="all is done")
    assert sum(done.values()) == sum(first) + len(hosts) + accepted
    assert most["all"] <= AT_ONCE
    assert all(count <= AT_ONCE_PER_HOST for host, count in most.items() if host != "all")
    assert not sender._queues


def test_a_thread_that_cannot_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes no turn from those that can, later: all work is done then."""
    sender, done = Sender(), Counter[str]()

    def cannot(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", cannot)
        for _ in range(AT_ONCE_PER_HOST + 1):
            assert sender.offer("one", lambda: done.update(["one"]))
    assert sender.offer("one", lambda: done.update(["one"]))
    wait_until(lambda: done["one"] == AT_ONCE_PER_HOST + 2, description="all is done")


def test_an_error_ends_no_thread() -> None:
    """What comes after it is done."""
    sender, done = Sender(), threading.Event()

    def fail() -> None:
        raise RuntimeError("told to")

    for _ in range(5):
        sender.offer("a", fail)
    sender.offer("a", done.set)
    assert done.wait(10)
