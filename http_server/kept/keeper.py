"""The thread that polls for clients that left: it keeps their tasks alive, and has them told.

Every server takes entries of kept tasks that are due, from all that there are, and submits their
tasks again, many in one round trip. What runs on is looked at again later, what has finished is
told to its webhook. News of finished tasks makes it look at once at those that it has met before;
which it has not, it meets within `LOOK_EVERY_S`.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.kept.decisions import decide, finished_ms
from http_server.kept.known import KnownEntries
from http_server.kept.looks import LOOK_EVERY_S, Looks, stretched_s
from http_server.kept.notice import Notice, settled_by
from http_server.kept.wishes import Wish
from http_server.redis_outage import Outage
from http_server.submit.chain import Outcome, ParsedTask
from http_server.submit.completions import News
from http_server.webhooks.delivery import ATTEMPT_S, Deliverer, Verdict
from http_server.webhooks.sender import Sender
from http_server.webhooks.target import target_for
from http_server.wire.problem import Problem, not_kept
from task_manager.backoff import Backoff
from task_manager.errors import LargeAnswersError, TooManyKeptError, UnavailableError
from task_manager.interface import TaskSubmitter
from task_manager.kept import Kept, KeptTasks, Round, Settled, Taken
from task_manager.values import Status

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
            Problem: 503, too many are kept already; 429, too many of this client.
            UnavailableError: Redis is away.
        """
        entries, finished = [], []
        for task, outcome in zip(tasks, outcomes, strict=True):
            if isinstance(outcome, Status):
                at_ms, is_over = finished_ms(outcome), outcome.state.terminal
            elif isinstance(outcome, LargeAnswersError):  # over; this reply had no room
                at_ms, is_over = 0, True
            else:
                continue
            if wish.url or not is_over:
                entries.append(_entry(task, wish))
                finished.append(at_ms)
        try:
            look_s = min([FIRST_LOOK_S, *(self._looks.pause_s(each, 0) for each in entries)])
            self._kept.keep(entries, wish.keep_s, finished, look_s)
        except TooManyKeptError as error:
            raise not_kept(error) from error
        self._known.remember(entries)
        if any(finished):
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
        with self._lock:
            now_s = time.monotonic()
            if not now_s < self._soonest_s < now_s + IDLE_S:
                self._soonest_s = now_s + IDLE_S
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

    def _handle(self, taken: Taken, outcome: Outcome | None, found: Round, until_s: float) -> None:
        """Has a task told, or has it looked at again."""
        decision = decide(taken, self._looks.type_of(taken.kept), outcome)
        match decision:
            case Notice():
                self._tell(decision._replace(until_s=until_s), found)
            case (settled, verdict):
                self._settle_soon(settled)
                if verdict is not None:
                    self._count(verdict)
            case None:
                pause_s = self._looks.pause_s(taken.kept, found.total)
                self._settle_soon(Settled(taken, pause_s, taken.progress))

    # Telling

    def _tell(self, notice: Notice, found: Round) -> None:
        """Has it sent, or tries again later where too much waits to be sent already, or where
        others have the secret, and a way out."""
        try:
            host = target_for(notice.taken.kept.url, self._settings).host
        except Problem:
            host = ""  # and the attempt will say so
        kept = dataclasses.replace(notice.taken.kept, input=b"")  # which may be large
        notice = notice._replace(taken=dataclasses.replace(notice.taken, kept=kept))
        if not (
            self._deliverer.signs
            and self._sender.offer(kept.client, host, lambda: self._send(notice))
        ):
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
        wish.client,
        wish.url,
        wish.events,
    )
