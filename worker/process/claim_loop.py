"""The other thread of a worker process: stores results and claims tasks, in one round trip."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any

from doneyet.task_types import TaskType
from task_manager.errors import PartlyUnavailableError, UnavailableError
from task_manager.interface import TaskClaimer
from task_manager.tally import Runs
from task_manager.values import Claim, Result
from worker.process.batch_queue import BatchQueue
from worker.process.batcher import Batch, make_batches, make_batches_unseen, missing
from worker.process.claim_size import ClaimSize
from worker.process.prefetch import GROUPED_HELD_MOST_S, HELD_MOST_S, wait_before_prefetch_s
from worker.process.progress import ProgressReports
from worker.process.reach import AGAIN_AFTER_S, Reach
from worker.process.throughput import Pace
from worker.redis_outage import BESIDE_SUPERVISOR_S, Outage
from worker.status_board import StatusBoard

log = logging.getLogger(__name__)

IDLE_WAIT_S = 0.5
"""How long an idle process blocks for a task; also how long a drain may wait for it."""

TOP_UP_EVERY_S = 0.002
FAILED_WAIT_S = 1.0
CHOOSE_FROM = 2
"""How many times as much is claimed where inputs are grouped by cost: of more, more are alike."""

_TYPE = attrgetter("type")

MOST_FAILURES = 4
"""Passes in a row that may fail for no reason that is known; then the process ends."""


class ClaimLoop:
    """Keeps the queue of batches supplied and takes what is finished from it.

    While one chunk of claims runs, the chunk before is stored and the next is claimed. What was
    claimed and cannot begin soon is given back. Results that cannot be stored are kept until they
    can.

    Args:
        manager, owner, types: where tasks of which types are claimed, and in whose name.
        queue: shared with the thread that runs batches.
        progress: what that thread reports.
        in_order: whether claims are to begin in the order in which they come.
        board: tells the supervisor that this thread is well, and what it has taken back.
        some_wait: asks whether tasks of these types wait.
        suspects_in_s: how long suspects, which may kill this process, come last; then they come
            first.
        place: what to call Redis in the log.
        lease_s: how long claims whose reply was lost may be held.
    """

    def __init__(
        self,
        manager: TaskClaimer,
        owner: str,
        types: Mapping[str, TaskType],
        queue: BatchQueue,
        progress: ProgressReports,
        *,
        in_order: bool,
        board: StatusBoard,
        some_wait: Callable[[], bool],
        place: str,
        lease_s: float,
        suspects_in_s: float = 0.0,
    ) -> None:
        self._manager, self._owner, self._types = manager, owner, types
        self._queue, self._progress, self._lease_s = queue, progress, lease_s
        self._names = manager.queues(list(types))
        self._in_order, self._some_wait = in_order, some_wait
        self._board = board
        self._suspects_at_s = time.monotonic() + suspects_in_s
        self._size, self._pace = ClaimSize(), Pace()
        self._batch_size = next(iter(types.values())).max_batch_size if len(types) == 1 else 1
        self._held: Counter[str] = Counter()
        """Claims on the queue of batches, waiting there or running, by where they come from."""
        self._held_since_s = 0.0
        self._look_at_held_s = 0.0
        self._grouped = False  # whether what is held was grouped by cost
        self._backlog = False
        self._unstored: list[Result] = []
        self._untallied: dict[str, Runs] = {}  # those of which they came
        self._reach = Reach(self._names)
        self._queue_of: Callable[[Claim | Result], str] = _TYPE
        if self._names != list(types):
            self._queue_of = lambda each: manager.queue_of(each.type, each.id)
        self._failures = 0  # passes in a row that raised what nobody foresaw
        self._outage = Outage(place, log, BESIDE_SUPERVISOR_S)

    def run(self) -> None:
        """Works until the queue is stopping and all that ran is stored; ends the main thread.

        Raises:
            Exception: as `run_once`.
        """
        while not self.run_once():
            pass
        self._queue.end()

    def run_once(self) -> bool:
        """One pass; True when everything is over.

        Raises:
            Exception: the pass failed, as those before it; the process is to be replaced.
        """
        self._board.beat()
        self._board.held = self._held.total()
        self._queue.wait(self._patience_s())
        self._board.beat()
        try:
            self._collect()
            over = self._pass()
            self._failures = 0
            self._outage.over()
        except UnavailableError as error:
            over = False
            self._queue.wait(self._outage.began(error))
        except Exception:
            # Results that wait to be stored are worth a few tries, but what fails for ever is to
            # end: in a new process, with each task by itself, it may not fail, or does so alone.
            self._failures += 1
            if self._failures == MOST_FAILURES:
                raise
            log.exception("claiming or storing tasks failed; trying again")
            over = False
            self._reach.doubt(self._names)
            self._queue.wait(FAILED_WAIT_S)
        return over

    def _pass(self) -> bool:
        self._clear_up()
        revocations = self._board.revocations
        if revocations != self._queue.revocations or self._queue.has_returned:
            self._give_back()  # what was lost already is ignored
            self._queue.revocations = revocations
        if reports := self._progress.take_due():
            types = {self._manager.queue_of(each[0], key) for key, each in reports.items()}
            self._reach.attempt(types, lambda: self._manager.progress(self._owner, reports))
        if self._queue.stopping:
            self._give_back()
            self._finish()
            return not (self._held.total() or self._unstored)
        if not self._held.total():
            self._refill()
        elif self._prefetch_in_s() == 0:
            # Surplus only: whoever is idle comes first.
            self._supply(self._finish(self._limit(), leave=self._share()))
        elif self._unstored:
            self._finish()
        elif self._overheld():
            self._give_back()
        return False

    def _patience_s(self) -> float:
        """How long nothing needs to be done unless the main thread has news."""
        if not self._held.total():
            return AGAIN_AFTER_S if self._queue.stopping and self._unstored else 0.0
        reasons = [IDLE_WAIT_S]
        if not self._queue.exhausted():
            reasons.append(self._look_at_held_s - time.monotonic())
        due = (self._prefetch_in_s(), self._progress.due_in_s())
        reasons += [due_s for due_s in due if due_s is not None]
        return min(reasons)

    def _collect(self) -> None:
        """Takes what ran from the queue of batches."""
        if not (taken := self._queue.take_finished()):
            return
        results = [result for finished in taken for result in finished.results]
        self._unstored += results
        self._held.subtract(Counter(map(self._queue_of, results)))
        elapsed_s = 0.0
        for type_name, group in groupby(taken, key=lambda each: each.batch.type.name):
            weight, group_elapsed_s = 0.0, 0.0
            runs = self._untallied.setdefault(type_name, Runs())
            for finished in group:
                runs.add(len(finished.results), finished.elapsed_s)
                weight += finished.batch.weight
                group_elapsed_s += finished.elapsed_s
            self._pace.observe(type_name, weight, group_elapsed_s)
            elapsed_s += group_elapsed_s
        self._size.observe(len(results), elapsed_s)

    def _refill(self) -> None:
        """The main thread has nothing to do: stores what it did, and waits for more."""
        limit = self._limit()
        claims = self._finish(limit) if self._unstored else self._claim(limit)
        self._supply(claims, top_up=True)

    def _claim(self, limit: int) -> list[Claim]:
        """Waits a little for tasks; suspects come in their time."""
        names = self._reach.claimable
        if not names:
            self._queue.wait(AGAIN_AFTER_S)
            return []

        def claim(**options: Any) -> list[Claim]:
            call = partial(self._manager.claim, self._owner, names, limit, **options)
            return self._reach.change(names, call)[0]

        def stopping() -> bool:
            return self._queue.stopping

        if not self._board.takes_suspects:
            return claim(wait_s=IDLE_WAIT_S, suspects=False, unless=stopping)
        if not self._suspects_first and (claims := claim(suspects=False)):
            return claims
        return claim(wait_s=IDLE_WAIT_S, unless=stopping)

    @property
    def _suspects_first(self) -> bool:
        return self._board.takes_suspects and time.monotonic() >= self._suspects_at_s

    def _finish(self, limit: int = 0, leave: int = 0) -> list[Claim]:
        """Stores results and claims up to `limit` tasks; does nothing where there is neither."""
        names = self._reach.claimable
        limit = limit if names else 0
        kept = {name for name in self._names if self._reach.is_away(name)}
        results = self._unstored
        if kept:
            results = [each for each in results if self._queue_of(each) not in kept]
        if not (limit or results):
            return []
        queues, types = set(map(self._queue_of, results)), set(map(_TYPE, results))
        call = partial(
            self._manager.finish,
            self._owner,
            results,
            names,
            limit,
            leave,
            suspects=self._suspects_first,
            runs={name: runs for name, runs in self._untallied.items() if name in types},
        )
        if limit:
            claims, failed = self._reach.change({*names, *queues}, call)
        else:
            claims, failed = self._reach.attempt(queues, call)
        kept.update(failed)
        if not kept:
            self._unstored, self._untallied = [], {}
            return claims
        self._unstored = [each for each in self._unstored if self._queue_of(each) in kept]
        stored = {each.type for each in results if self._queue_of(each) not in kept}
        self._untallied = {n: runs for n, runs in self._untallied.items() if n not in stored}
        return claims

    def _supply(self, claims: list[Claim], *, top_up: bool = False) -> None:
        """Puts claims on the queue of batches, in batches."""
        self._backlog = len(claims) >= self._share() or any(claim.alone for claim in claims)
        if not claims:
            return
        if len(self._types) > 1:
            self._batch_size = max(self._types[claim.type].max_batch_size for claim in claims)
        if top_up:
            claims = self._topped_up(claims)
        batches = self._batches(claims)
        self._pace.take(batches)
        self._held.update(map(self._queue_of, claims))
        self._held_since_s = time.monotonic()
        self._look_at_held_s = self._held_since_s + HELD_MOST_S
        self._grouped = any(batch.ready is not None for batch in batches)
        self._queue.put(batches)

    def _batches(self, claims: list[Claim]) -> list[Batch]:
        try:
            return make_batches(
                claims,
                self._types,
                in_order=self._in_order,
                watched=lambda part: self._board.preparing([claim.id for claim in part]),
            )
        except Exception:
            # Somebody's type, or we, did what nobody foresaw: each claim answers for itself.
            log.exception("%d inputs cannot be made batches; each runs alone", len(claims))
            return make_batches_unseen(claims, self._types)

    def _topped_up(self, claims: list[Claim]) -> list[Claim]:
        """`claims`, and more of the types whose last batch may wait for more until its deadline."""
        waiting = [self._types[name] for name in {claim.type for claim in claims}]
        began_s = time.monotonic()
        while not self._queue.stopping:
            self._board.beat()
            waited_ms = (time.monotonic() - began_s) * 1000
            names = {*self._reach.claimable}
            waiting = [
                kind
                for kind in waiting
                if kind.name in names and waited_ms < kind.batch_wait_ms and missing(claims, kind)
            ]
            if not waiting:
                break
            for kind in waiting:
                queues = [each for each in self._manager.queues([kind.name]) if each in names]
                most = missing(claims, kind)
                call = partial(self._manager.claim, self._owner, queues, most, suspects=False)
                try:
                    more, _ = self._reach.change(queues, call)
                except UnavailableError:
                    return claims  # these can run; the next call finds out
                claims = [*claims, *more]
            time.sleep(TOP_UP_EVERY_S)  # Redis' own timers are too coarse to block for so short
        return claims

    def _limit(self) -> int:
        """How many to claim."""
        return self._share() * (CHOOSE_FROM if self._grouped else 1)

    def _share(self) -> int:
        """How many make about as much work as should be held; so many are left to the others."""
        return self._size.limit(self._batch_size)

    def _prefetch_in_s(self) -> float | None:
        running_since_s = self._queue.running_since_s
        running_for_s = time.monotonic() - running_since_s if running_since_s else 0.0
        return wait_before_prefetch_s(
            backlog=self._backlog and bool(self._reach.claimable),
            held=self._held.total(),
            limit=self._limit(),
            left_s=self._pace.left_s() - running_for_s,
        )

    def _overheld(self) -> bool:
        """Whether claims have waited too long to be begun."""
        now_s = time.monotonic()
        if now_s < self._look_at_held_s or self._queue.exhausted():
            return False
        if self._grouped and now_s < self._held_since_s + GROUPED_HELD_MOST_S:
            self._look_at_held_s = now_s + HELD_MOST_S
            return not self._some_wait()
        return True

    def _give_back(self) -> None:
        """Releases what has not begun, and claims no more before the running batch is over."""
        batches = self._queue.take_unbegun()
        # It may have finished a batch and not said so, seeing more on the queue of batches.
        self._queue.wake()
        self._pace.give_back(batches)
        claims = [claim for batch in batches for claim in batch.claims]
        self._held.subtract(map(self._queue_of, claims))
        self._backlog = False
        if claims:
            queues = {*map(self._queue_of, claims)}
            self._reach.change(queues, lambda: self._manager.release(self._owner, claims))

    def _clear_up(self) -> None:
        """After a call without a reply: gives back what this owner may hold without knowing.

        Nobody knows those tasks, and the lease that is renewed for the others would keep them for
        ever. All claims of this owner and type are ended, so it waits until nothing of that type
        runs, but not longer than a lease; what runs then may run twice, and its first result
        counts.
        """
        due = [
            name
            for name, for_s in self._reach.unclear()
            if self._held[name] <= 0 or for_s >= self._lease_s
        ]
        if not due:
            return
        self._finish()
        for call in (self._end_claims, self._register):
            types = [name for name in due if not self._reach.is_away(name)]
            if not types:
                return
            _, failed = self._reach.attempt(types, partial(call, types))
            due = [name for name in types if name not in failed]
        self._reach.clear(due)

    def _end_claims(self, types: Sequence[str]) -> None:
        self._manager.recover(self._owner, types, running=())

    def _register(self, types: Sequence[str]) -> None:
        """So that this owner may claim again."""
        renewal = self._manager.renew({self._owner: types}, self._lease_s)
        if renewal.away:
            raise PartlyUnavailableError(renewal.away)
