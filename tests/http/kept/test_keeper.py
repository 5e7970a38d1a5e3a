"""What a keeper does with what it takes, on a fake manager and fake entries."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.kept.keeper import MOST_PER_ROUND, Keeper
from http_server.kept.known import MOST_KNOWN
from http_server.kept.wishes import Wish
from http_server.redis_outage import Outage
from http_server.submit.chain import ParsedTask
from http_server.submit.completions import News
from http_server.webhooks.sender import Work
from http_server.wire.problem import Problem
from task_manager.errors import (
    ClientKeepsTooManyError,
    LargeAnswersError,
    OverloadedError,
    TooManyKeptError,
    UnavailableError,
)
from task_manager.kept import Kept, KeptTasks, Progress, Round, Settled, Taken
from task_manager.values import State, Status
from tests.helpers import wait_until
from tests.http.fakes import FakeManager
from tests.http.webhooks import receiver as answers
from tests.http.webhooks.receiver import SECRET, Receiver

SETTINGS = Settings(
    webhook_secrets=f"whsec_{SECRET}",
    webhook_http="true",
    webhook_private="true",
    input_ttl_s=60,
)
BODY = b'{"number":6,"factorization":[],"factorization_str":"x"}'


class FakeKept(KeptTasks):
    """Entries that are `due` once, and what became of them."""

    def __init__(self) -> None:
        self.due: list[Taken] = []
        self.heard: list[str] = []
        self.settled: list[Settled] = []
        self.kept: list[Kept] = []
        self.total = 1
        self.look_s = 0.0
        self.down = False
        self.full: TooManyKeptError | None = None
        self.takes = 0

    def keep(
        self, entries: Sequence[Kept], keep_s: float, finished_ms: Sequence[int], look_s: float
    ) -> None:
        self._check()
        if self.full is not None:
            raise self.full
        self.look_s = look_s
        self.kept += entries

    def take(self, limit: int, lease_s: float, heard: Sequence[str] = ()) -> Round:
        self.takes += 1
        self._check()
        self.heard += heard
        taken, self.due = self.due[:limit], self.due[limit:]
        return Round(taken, self.total, None)

    def settle(self, settled: Sequence[Settled]) -> None:
        self._check()
        self.settled += settled

    def _check(self) -> None:
        if self.down:
            raise UnavailableError("Redis at nowhere cannot be reached")


class Setup:
    """A keeper, and what is around it."""

    def __init__(self, registry: Registry, url: str, settings: Settings = SETTINGS) -> None:
        self.kept, self.manager = FakeKept(), FakeManager()
        self.news, self.outage = News(), Outage()
        self.draining = False
        self.url = url
        self.factorization = registry.types["factorization"]
        self.keeper = Keeper(
            self.kept,
            self.manager,
            registry,
            settings,
            news=self.news,
            outage=self.outage,
            draining=lambda: self.draining,
        )
        self.news.start(self.manager, lambda _error: None)

    def taken(self, number: int = 6, url: str | None = None, **changed: Any) -> Taken:
        """An entry of a factorization."""
        text = b'{"number":%d}' % number
        task_id = self.factorization.task_id(text)
        kept = Kept(
            f"entry{number}",
            task_id,
            "factorization",
            self.factorization.version,
            text,
            url=self.url if url is None else url,
            events=("completed",),
        )
        return Taken(replace(kept, **changed), "me", 60_000)

    def round(self, *taken: Taken) -> Settled:
        """What becomes of these."""
        before = len(self.kept.settled)
        self.kept.due += taken
        self.keeper.run_once()
        wait_until(
            lambda: len(self.kept.settled) == before + len(taken), description="they are settled"
        )
        return self.kept.settled[-1]

    def finish(self, taken: Taken, state: State = State.DONE) -> None:
        """Its task is terminal."""
        self.manager.submit([self.task(taken)])
        self.manager.finish(taken.kept.task_id, BODY, state)
        status = self.manager.tasks[taken.kept.task_id]
        status.expires_ms = (status.finished_ms or 0) + 500_000

    def task(self, taken: Taken) -> ParsedTask:
        """As a request has it."""
        kept = taken.kept
        return ParsedTask(kept.task_id, kept.type, kept.input, self.factorization, b"{}")


@pytest.fixture
def setup(registry: Registry, receiver: Receiver) -> Iterator[Setup]:
    """A keeper whose thread the test is."""
    setup = Setup(registry, receiver.url)
    yield setup
    setup.keeper.close()


def test_a_task_that_waits_is_submitted_again(setup: Setup) -> None:
    """As one that is waited for; and looked at again before it would expire."""
    settled = setup.round(setup.taken(url=""))
    ((task,),) = setup.manager.rounds
    is_awaited = task.awaited
    assert is_awaited
    assert settled.pause_s == 10
    setup.kept.total = 10_000
    assert setup.round(setup.taken()).pause_s == 20
    setup.kept.total = 90_000
    assert setup.round(setup.taken()).pause_s == 30
    setup.kept.total = 1
    assert setup.round(setup.taken(events=("completed", "progress"))).pause_s == 0.5


def test_many_are_submitted_together(setup: Setup) -> None:
    """In one round trip for each `MOST_PER_ROUND`."""
    setup.round(*(setup.taken(number) for number in range(2, 2 + MOST_PER_ROUND)))
    assert [len(tasks) for tasks in setup.manager.rounds] == [MOST_PER_ROUND]


def test_a_finished_task_is_told(setup: Setup, receiver: Receiver) -> None:
    """And known to be told, for as long as its result is there."""
    taken = setup.taken()
    setup.finish(taken)
    settled = setup.round(taken)
    assert receiver.received[0].body["data"]["number"] == 6
    assert (settled.pause_s, settled.keep_s) == (None, 500)
    told_ms = setup.manager.tasks[taken.kept.task_id].finished_ms
    assert settled.told_ms == told_ms
    setup.round(replace(taken, told_ms=told_ms))
    assert len(receiver.received) == 1
    assert setup.round(setup.taken(url="")).keep_s == 0


def test_what_was_done_once_is_not_run_again(setup: Setup, receiver: Receiver) -> None:
    """Where its result is gone before it could be told, that is the end; what is stored is told."""
    failed = replace(setup.taken(), progress=Progress(attempts=2))
    settled = setup.round(failed)
    assert (settled.pause_s, settled.keep_s) == (None, 0)
    assert setup.keeper.deliveries == {"gave_up": 1}
    stored = Progress(2, body='{"type":"task.completed"}', finished_ms=8, result_s=60)
    settled = setup.round(replace(failed, progress=stored))
    assert receiver.received[0].raw == b'{"type":"task.completed"}'
    assert (settled.told_ms, settled.keep_s) == (8, 60)
    assert not setup.manager.rounds


def test_what_runs_anew_is_told_anew(setup: Setup, receiver: Receiver) -> None:
    """A stored body is dropped for that."""
    taken = setup.taken()
    setup.manager.submit([setup.task(taken)])
    stored = Progress(2, body="old", finished_ms=8, result_s=60)
    settled = setup.round(replace(taken, progress=stored))
    assert (settled.pause_s, settled.progress) == (0, Progress())
    assert not receiver.received


def test_failures_are_stored_until_they_are_told(setup: Setup, receiver: Receiver) -> None:
    """Since they are forgotten soon; a result is not, it is there."""
    receiver.answers = [answers.status(500)] * 2
    for number, state in ((6, State.FAILED), (7, State.DONE)):
        taken = setup.taken(number)
        setup.finish(taken, state)
        settled = setup.round(taken)
        assert settled.progress.attempts == 1
        assert bool(settled.progress.body) == (state is State.FAILED)
        assert settled.keep_s > 80_000


def test_what_others_know_is_left_to_them(setup: Setup) -> None:
    """Another version would have another id for the input; of an unknown type nothing is known."""
    for taken in (setup.taken(version="other"), setup.taken(type="unknown")):
        assert setup.round(taken).pause_s == 10
    assert not setup.manager.rounds
    taken = setup.taken(version="other")
    setup.finish(taken)
    assert setup.round(taken).pause_s is None


def test_keeping_ends(setup: Setup) -> None:
    """When its time is over: the task is not submitted any more."""
    settled = setup.round(replace(setup.taken(), left_ms=0))
    assert (settled.pause_s, settled.keep_s) == (None, 0)
    assert not setup.manager.rounds


def test_one_that_cannot_be_handled_keeps_no_other(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A type's own code may raise; the input is not in the log."""
    handle = setup.keeper._handle

    def failing(taken: Taken, *given: Any) -> None:
        if taken.kept.id == "entry77":
            raise RuntimeError("told to")
        handle(taken, *given)

    monkeypatch.setattr(setup.keeper, "_handle", failing)
    setup.kept.due = [setup.taken(77)]
    setup.keeper.run_once()
    setup.round(setup.taken(6))
    assert "cannot be handled" in caplog.text
    assert '"number"' not in caplog.text


def test_news_is_looked_at_at_once(setup: Setup) -> None:
    """Of tasks that this process has met, of which it remembers so many."""
    taken = setup.taken()
    setup.finish(taken)
    setup.keeper.run_once()
    assert setup.kept.heard == []
    setup.round(replace(taken, kept=replace(taken.kept, task_id="t")))
    setup.keeper._hear(["t", "another"])
    setup.keeper.run_once()
    assert setup.kept.heard == ["entry6"]
    setup.keeper._known.remember(
        Kept(str(n), str(n), "factorization", "1", b"") for n in range(MOST_KNOWN + 5)
    )
    assert len(setup.keeper._known) == MOST_KNOWN


def test_a_task_that_many_are_told_of_is_no_leak(setup: Setup) -> None:
    """Each request may name a URL of its own; what other processes are done with counts, too."""
    known, count = setup.keeper._known, MOST_KNOWN + 5
    known.remember(Kept(str(n), "t", "factorization", "1", b"") for n in range(count))
    assert len(known) == len(known.of(["t"])) == MOST_KNOWN
    for number in range(count):
        known.forget(Kept(str(number), "t", "factorization", "1", b""))
    assert len(known) == 0
    assert known.of(["t"]) == []


def test_a_server_without_a_secret_sends_nothing(registry: Registry, receiver: Receiver) -> None:
    """Nobody could tell that it is genuine; servers that have one send it soon."""
    setup = Setup(registry, receiver.url, replace(SETTINGS, webhook_secrets=""))
    taken = setup.taken()
    setup.finish(taken)
    settled = setup.round(taken)
    assert settled.pause_s == 5
    assert settled.progress == Progress()
    setup.keeper.close()
    assert not receiver.received


def test_ports_of_a_host_have_one_turn(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a machine that hangs would have a turn for each of its 65,535."""
    hosts = list[str]()

    def offer(_client: str, host: str, _work: Work) -> bool:
        hosts.append(host)
        return False

    monkeypatch.setattr(setup.keeper._sender, "offer", offer)
    for port in (81, 82):
        taken = setup.taken(url=f"http://127.0.0.1:{port}/")
        setup.finish(taken)
        setup.round(taken)
    assert hosts == ["127.0.0.1"] * 2


def test_redis_goes_and_comes(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """The thread goes on, says so once, and settles later what it could not settle."""
    setup.keeper.start()
    setup.kept.down = True
    setup.keeper._settle_soon(Settled(setup.taken(), 0.0))
    wait_until(lambda: "trying again" in caplog.text, description="it says so")
    setup.kept.down = False
    wait_until(lambda: setup.kept.settled, description="it is settled")
    assert caplog.text.count("trying again") == 1


def test_a_server_that_drains_gives_back(setup: Setup, receiver: Receiver) -> None:
    """What it has not begun to tell is told by others at once, and nothing more is taken."""
    gate = threading.Event()
    receiver.answers = [lambda handler: answers.status(204)(handler) if gate.wait(10) else None] * 2
    for number in (2, 3, 4, 5):
        setup.finish(setup.taken(number))
    setup.kept.due = [setup.taken(number) for number in (2, 3, 4, 5)]
    setup.keeper.run_once()
    wait_until(lambda: len(receiver.received) == 2, description="two are being sent")
    setup.draining = True
    gate.set()
    wait_until(lambda: len(setup.kept.settled) == 4, description="all are settled")
    assert sorted(each.pause_s is None for each in setup.kept.settled) == [False, False, True, True]
    assert len(receiver.received) == 2
    takes = setup.kept.takes
    setup.keeper.start()
    setup.keeper._thread.join(5)
    assert setup.kept.takes == takes


def test_the_first_look_is_in_time(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon, and before a task of a short life expires; of what is to be told early, earlier."""
    task = setup.task(setup.taken())
    waiting = Status(task.id, task.type, State.WAITING, 1)
    for events, ttl_s, look_s in ((("completed",), 60, 1), (("started",), 60, 0.5), ((), 1, 0.5)):
        monkeypatch.setattr(setup.factorization, "input_ttl_s", ttl_s)
        setup.keeper.keep([task], [waiting], Wish(60, 60, "u", events))
        assert setup.kept.look_s == look_s


def test_a_wish_that_cannot_be_noted_is_refused(setup: Setup) -> None:
    """Since nobody would do what was promised: while Redis is away, as any submit."""
    task = setup.task(setup.taken())
    waiting = Status(task.id, task.type, State.WAITING, 1)
    setup.kept.down = True
    with pytest.raises(UnavailableError):
        setup.keeper.keep([task], [waiting], Wish(60, 60, "", ()))


def test_what_is_kept_of_a_submit(setup: Setup) -> None:
    """What was accepted, and is not over or is to be told. Where too many are kept: 503, or 429."""
    task = setup.task(setup.taken())
    waiting = Status(task.id, task.type, State.WAITING, 1)
    done = Status(task.id, task.type, State.DONE, 1, finished_ms=5)
    large = LargeAnswersError(1)  # it is done, though this reply has no room for it
    refused_one = OverloadedError("factorization", 7)
    for outcome, url, count in (
        *((waiting, "", 1), (done, "", 0), (done, setup.url, 1)),
        *((large, "", 0), (large, setup.url, 1), (refused_one, setup.url, 0)),
    ):
        setup.kept.kept.clear()
        setup.keeper.keep([task], [outcome], Wish(60, 60, url, ()))
        assert len(setup.kept.kept) == count
    ids = set()
    for url, events in (("a", ("completed",)), ("b", ("completed",)), ("a", ("started",))):
        for client in ("one", "another"):  # both are told by one entry
            setup.keeper.keep([task], [waiting], Wish(60, None, url, events, client))
            assert setup.kept.kept[-1].client == client
            ids.add(setup.kept.kept[-1].id)
    assert len(ids) == 3
    for error, status, kind in (
        (TooManyKeptError(7), 503, "overloaded"),
        (ClientKeepsTooManyError(7), 429, "client-keeps-too-many"),
    ):
        setup.kept.full = error
        with pytest.raises(Problem) as refused:
            setup.keeper.keep([task], [waiting], Wish(60, 60, "", ()))
        assert (refused.value.status, refused.value.kind) == (status, kind)
