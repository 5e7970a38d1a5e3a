"""When webhooks are sent again, and that none waits for another's host."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from http_server.kept.notice import MOST_MARKED_S, Notice, settled_by
from http_server.webhooks.bodies import COMPLETED, PROGRESS
from http_server.webhooks.delivery import RETRY_S, Attempt, Verdict, _seconds, pause_s
from http_server.webhooks.sender import (
    AT_ONCE,
    AT_ONCE_PER_HOST,
    MOST_QUEUED,
    MOST_QUEUED_PER_LANE,
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


class Sending:
    """A sender whose work lasts until `go`, and how much of it was done at once."""

    def __init__(self) -> None:
        self.sender, self.go, self.lock = Sender(), threading.Event(), threading.Lock()
        self.busy, self.most, self.done = Counter[str](), Counter[str](), Counter[str]()

    def offer(self, client: str, host: str) -> bool:
        """Work of `client` for `host`, if there is room."""
        return self.sender.offer(client, host, lambda: self._work(client, host))

    def _work(self, *names: str) -> None:
        for name in ("all", *names):
            with self.lock:
                self.busy[name] += 1
                self.most[name] = max(self.most[name], self.busy[name])
        self.go.wait(30)
        for name in ("all", *names):
            with self.lock:
                self.busy[name] -= 1
                self.done[name] += 1


@pytest.fixture
def sending() -> Iterator[Sending]:
    """All work ends with the test."""
    sending = Sending()
    yield sending
    sending.go.set()
    wait_until(lambda: not sending.sender._busy, description="no thread is left")


def test_a_few_are_sent_at_once(sending: Sending) -> None:
    """Fewer to each host; whatever can wait, waits; all of it is done; then no thread is left."""
    accepted = sum(sending.offer("a", "one") for _ in range(100))
    assert accepted in range(MOST_QUEUED_PER_LANE, MOST_QUEUED_PER_LANE + 3)
    accepted += sum(sending.offer("b", "one") for _ in range(100))
    at_host = AT_ONCE_PER_HOST // 2 + 1  # half for the first client, half of the rest
    wait_until(lambda: sending.busy["one"] == at_host, description="some are sent")
    for number in range(2 * AT_ONCE):
        assert sending.offer(f"c{number}", f"host{number}")
        accepted += 1
    wait_until(lambda: sending.busy["all"] == AT_ONCE, description="as many as may be")
    accepted += (more := sum(sending.offer(f"d{n}", f"many{n}") for n in range(2 * MOST_QUEUED)))
    assert more < MOST_QUEUED
    sending.go.set()
    wait_until(lambda: not sending.sender._busy, description="all is done")
    assert sending.done["all"] == accepted
    assert sending.most.pop("all") <= AT_ONCE
    assert max(sending.most.values()) == at_host
    assert not sending.sender._queues
    assert not sending.sender._queued


def test_a_client_leaves_room_for_others(sending: Sending) -> None:
    """Though none of its many hosts answers: alone it gets half of the threads, and half of the
    places in queues. Each newcomer gets a thread at once."""
    accepted = sum(sending.offer("greedy", f"hanging{n}") for n in range(2 * MOST_QUEUED))
    wait_until(lambda: sending.busy["greedy"] == AT_ONCE // 2, description="it has its share")
    most = MOST_QUEUED // 2
    assert accepted in range(most, most + AT_ONCE // 2 + 1)  # some were sent while others came
    for newcomer in "bcd":
        assert sending.offer(newcomer, f"host of {newcomer}")
    wait_until(lambda: all(sending.busy[each] for each in "bcd"), description="theirs are sent")
    assert not sending.done


def test_a_client_leaves_room_at_a_host(sending: Sending) -> None:
    """That does not answer its webhooks: many have theirs at the same few hosts."""
    for _ in range(20):
        assert sending.offer("greedy", "shared")
    wait_until(
        lambda: sending.busy["greedy"] == AT_ONCE_PER_HOST // 2, description="it has its share"
    )
    assert sending.offer("newcomer", "shared")
    wait_until(lambda: sending.busy["newcomer"] == 1, description="its own is sent")
    assert not sending.done


def test_a_thread_that_cannot_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes no turn from those that can, later: all work is done then."""
    sender, done = Sender(), Counter[str]()

    def cannot(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", cannot)
        for _ in range(AT_ONCE_PER_HOST + 1):
            assert sender.offer("a", "one", lambda: done.update(["one"]))
    assert sender.offer("a", "one", lambda: done.update(["one"]))
    wait_until(lambda: done["one"] == AT_ONCE_PER_HOST + 2, description="all is done")


def test_an_error_ends_no_thread() -> None:
    """What comes after it is done."""
    sender, done = Sender(), threading.Event()

    def fail() -> None:
        raise RuntimeError("told to")

    for _ in range(5):
        sender.offer("a", "one", fail)
    sender.offer("a", "one", done.set)
    assert done.wait(10)
