"""The thread that polls for clients that left: it keeps their tasks alive, and has them told.

Every server takes entries of kept tasks that are due, from all that there are, and submits their
tasks again, many in one round trip. What runs on is looked at again later, what has finished is
told to its webhook. News of finished tasks makes it look at once at those that it has met before;
which it has not, it meets within `LOOK_EVERY_S`.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

from doneyet.settings import Settings
from doneyet.task_types import Registry, TaskType
from http_server.kept.known import KnownEntries
from http_server.kept.looks import EAGER_S, LOOK_EVERY_S, Looks, is_eager, stretched_s
from http_server.kept.notice import Notice, result_s, settled_by, told
from http_server.kept.wishes import Wish
from http_server.redis_outage import Outage
from http_server.submit.chain import Outcome, ParsedTask
from http_server.submit.completions import News
from http_server.webhooks.bodies import COMPLETED, PROGRESS, STARTED, event_body
from http_server.webhooks.delivery import ATTEMPT_S, Deliverer, Verdict
from http_server.webhooks.sender import Sender
from http_server.webhooks.target import target_for
from http_server.wire.problem import Problem
from task_manager.backoff import Backoff
from task_manager.errors import (
    LargeAnswersError,
    NoStatusError,
    TooManyKeptError,
    UnavailableError,
)
from task_manager.interface import State, Status, TaskSubmitter
from task_manager.kept import Kept, KeptTasks, Round, Settled, Taken

log = logging.getLogger(__name__)

LEASE_S = 30.0
"""How long entries are taken: their tasks are looked at, and told in an attempt or two."""

SPARE_OF_LEASE_S = 2.0
FIRST_LOOK_S = 1.0
"""After a submit: news of a task that is quick comes before its entry is there."""
MOST_PER_ROUND = 200
IDLE_S = 1.0
"""How often a process asks whether something is due."""
TICK_S = 0.005
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0


class Keeper:
    """The kept tasks, as one server process sees them.

    Args:
        kept: where they are.
        manager: submits their tasks.
        registry: knows their types.
        settings: say how long a submit lasts, and how webhooks are sent.
        news: of finished tasks.
        outage: hears whether Redis answers.
        draining: whether the process is about to end, so that others do the rest.

    Raises:
        SettingError: a secret for webhooks is none.
    """

    def __init__(
        self,
        kept: KeptTasks,
        manager: TaskSubmitter,
        registry: Registry,
        settings: Settings,
        *,
        news: News,
        outage: Outage,
        draining: Callable[[], bool],
    ) -> None:
        self._kept, self._settings = kept, settings
        self._outage, self._draining = outage, draining
        self._looks = Looks(manager, registry, settings.input_ttl_s)
        self._deliverer, self._sender = Deliverer(settings), Sender()
        self.deliveries: Counter[str] = Counter()
        """Attempts by outcome."""
        self._lock = threading.Lock()
        self._known = KnownEntries()
        self._heard: dict[str, None] = {}
        self._unsettled: deque[Settled] = deque(maxlen=10 * MOST_PER_ROUND)
        self._soonest_s = 0.0  # when what was settled since is due first, or in `IDLE_S`
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self.run, name="keeper", daemon=True)
        news.tell(self._hear, lambda: None)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> None:
        """Ends; what is being sent may get to its end."""
        self._closed = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(LONGEST_PAUSE_S + 1)
        self._sender.drop()

    def keep(self, tasks: Sequence[ParsedTask], outcomes: Sequence[Outcome], wish: Wish) -> None:
        """Keeps those tasks of a submit that were accepted, and that there is something to do for.

        Raises:
            Problem: 503; too many are kept already.
            UnavailableError: Redis is away.
        """
        entries, finished_ms = [], []
        for task, outcome in zip(tasks, outcomes, strict=True):
            if isinstance(outcome, NoStatusError) or (outcome.state.terminal and not wish.url):
                continue
            entries.append(_entry(task, wish))
            finished_ms.append(_finished_ms(outcome))
        try:
            look_s = EAGER_S if is_eager(wish.events) else FIRST_LOOK_S
            self._kept.keep(entries, wish.keep_s, finished_ms, look_s)
        except TooManyKeptError as error:
            detail, wait = str(error), [("retry-after", "2")]
            raise Problem(503, "overloaded", detail, headers=wait) from error
        self._known.remember(entries)
        if any(finished_ms):
            self._wake.set()

    def run(self) -> None:
        """Looks until closed, or until the process drains."""
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while not self._closed and not self._draining():
            try:
                pause_s = self.run_once()
                self._outage.worked(Outage.KEPT)
                backoff.reset()
            except Exception as error:
                if isinstance(error, UnavailableError):
                    self._outage.failed(Outage.KEPT, error)
                else:
                    log.exception("kept tasks cannot be looked at; trying again")
                pause_s = backoff.next_s()
            self._wake.wait(pause_s)
            self._wake.clear()

    def run_once(self) -> float:
        """Looks at what is due; for how long nothing is, as far as is known, s."""
        self._settle()
        self._soonest_s = time.monotonic() + IDLE_S
        with self._lock:
            heard = list(self._heard)[:MOST_PER_ROUND]
            for each in heard:
                del self._heard[each]
        found = self._kept.take(MOST_PER_ROUND, LEASE_S, heard)
        until_s = time.monotonic() + LEASE_S
        self._known.remember(each.kept for each in found.taken)
        for taken, outcome in self._looks.look(found.taken):
            try:
                self._handle(taken, outcome, found, until_s)
            except Exception:  # a type's own code; in `LEASE_S` it is tried again
                log.exception("kept task %s cannot be handled", taken.kept.task_id)
        self._settle()
        pause_s = self._soonest_s - time.monotonic()
        if found.next_s is not None:
            pause_s = min(pause_s, found.next_s)
        return 0.0 if self._heard else max(0.0, pause_s) + TICK_S

    # Deciding

    def _handle(self, taken: Taken, outcome: Outcome | None, found: Round, until_s: float) -> None:
        """Has a task told, or has it looked at again."""
        task_type, progress = self._looks.type_of(taken.kept), taken.progress
        if outcome is None and progress.body:
            notice = Notice(
                taken,
                COMPLETED,
                progress.body.encode(),
                until_s,
                finished_ms=progress.finished_ms,
                result_s=progress.result_s,
                is_stored=True,
            )
            self._tell(notice, found)
        elif task_type is None:
            self._look_again(taken, found)
        elif isinstance(outcome, Status) and outcome.state.terminal:
            self._finish(taken, task_type, outcome, found, until_s)
        elif outcome is None and progress.attempts:
            self._count(Verdict.GAVE_UP)
            log.warning("a webhook is given up: the result of %s expired", taken.kept.task_id)
            self._settle_soon(Settled(taken, None))
        elif taken.left_ms <= 0:
            self._settle_soon(Settled(taken, None))
        elif isinstance(outcome, LargeAnswersError):  # there is room when fewer are asked for
            self._settle_soon(Settled(taken, 0.0, progress))
        elif isinstance(outcome, Status) and progress.attempts:  # it runs anew, and is told then
            self._settle_soon(Settled(taken, 0.0))
        elif isinstance(outcome, Status):
            self._report(taken, task_type, outcome, found, until_s)
        else:
            self._look_again(taken, found)

    def _finish(
        self, taken: Taken, task_type: TaskType, status: Status, found: Round, until_s: float
    ) -> None:
        kept, finished_ms, kept_s = taken.kept, _finished_ms(status), result_s(status)
        if not kept.url:
            self._settle_soon(Settled(taken, None))
        elif taken.told_ms == finished_ms or COMPLETED not in kept.events:
            self._settle_soon(told(taken, finished_ms, kept_s))
        else:
            body = event_body(COMPLETED, task_type, status, kept.input)
            notice = Notice(
                taken,
                COMPLETED,
                body,
                until_s,
                finished_ms=finished_ms,
                result_s=kept_s,
                is_stored=status.state is not State.DONE,  # which is kept for a minute only
            )
            self._tell(notice, found)

    def _report(
        self, taken: Taken, task_type: TaskType, status: Status, found: Round, until_s: float
    ) -> None:
        """Tells that the task began, or how far it is, if that is wanted and new."""
        events, progress = taken.kept.events, taken.progress
        latest = json.dumps(status.progress)
        if status.state is not State.RUNNING:
            event, after = "", progress
        elif STARTED in events and not progress.began:
            event, after = STARTED, progress._replace(began=True)
        elif PROGRESS in events and status.progress and latest != progress.latest:
            event = PROGRESS
            after = progress._replace(latest=latest, reports=progress.reports + 1)
        else:
            event, after = "", progress
        if event:
            body = event_body(event, task_type, status, taken.kept.input)
            self._tell(Notice(taken, event, body, until_s, after), found)
        else:
            self._look_again(taken, found)

    def _look_again(self, taken: Taken, found: Round) -> None:
        pause_s = self._looks.pause_s(taken.kept, found.total)
        self._settle_soon(Settled(taken, pause_s, taken.progress))

    # Telling

    def _tell(self, notice: Notice, found: Round) -> None:
        """Has it sent, or tries again later where too much waits to be sent to its host."""
        try:
            host = target_for(notice.taken.kept.url, self._settings).place
        except Problem:
            host = ""  # and the attempt will say so
        kept = dataclasses.replace(notice.taken.kept, input=b"")  # which may be large
        notice = notice._replace(taken=dataclasses.replace(notice.taken, kept=kept))
        if not self._sender.offer(host, lambda: self._send(notice)):
            pause_s = stretched_s(LOOK_EVERY_S / 2, found.total)
            self._settle_soon(Settled(notice.taken, pause_s, notice.taken.progress))

    def _send(self, notice: Notice) -> None:
        """In a thread of the sender's."""
        if time.monotonic() > notice.until_s - ATTEMPT_S - SPARE_OF_LEASE_S:
            return  # who takes it when the lease is over sends it
        if self._closed or self._draining():
            self._settle_soon(Settled(notice.taken, 0.0, notice.taken.progress))
        else:
            attempt = self._deliverer.deliver(notice.taken.kept.url, notice.id, notice.body)
            settled, verdict = settled_by(attempt, notice)
            self._count(verdict)
            self._settle_soon(settled)
        try:
            self._settle()
        except UnavailableError as error:
            log.debug("what came of a webhook is noted later: %s", error)

    def _count(self, verdict: Verdict) -> None:
        with self._lock:
            self.deliveries[verdict.value] += 1

    # Settling

    def _settle_soon(self, settled: Settled) -> None:
        if settled.pause_s is None:
            self._known.forget(settled.taken.kept)
        with self._lock:
            self._unsettled.append(settled)
            if settled.pause_s is None:
                return
            if (due_s := time.monotonic() + settled.pause_s) < self._soonest_s:
                self._soonest_s = due_s
                self._wake.set()

    def _settle(self) -> None:
        with self._lock:
            settled = list(self._unsettled)
            self._unsettled.clear()
        try:
            self._kept.settle(settled)
        except UnavailableError:
            with self._lock:
                self._unsettled.extendleft(reversed(settled))
            raise

    def _hear(self, ids: Iterable[str]) -> None:
        """Of tasks that finished."""
        if entries := self._known.of(ids):
            with self._lock:
                self._heard.update(dict.fromkeys(entries))
            self._wake.set()


def _entry(task: ParsedTask, wish: Wish) -> Kept:
    """What is kept of a task as `wish` says."""
    named = "\n".join([task.id, wish.url, *wish.events])
    return Kept(
        blake2b(named.encode(), digest_size=16).hexdigest(),
        task.id,
        task.type,
        task.task_type.version,
        task.input,
        task.asker,
        wish.url,
        wish.events,
    )


def _finished_ms(outcome: Status) -> int:
    """0: it has not."""
    return max(1, outcome.finished_ms or 0) if outcome.state.terminal else 0
