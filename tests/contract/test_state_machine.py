"""The contract again, as a state machine: any order of calls, compared with a model in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from task_manager.errors import AlreadyTerminalError, ClientOverloadedError
from task_manager.values import NOBODY, Asker, Claim, State, Status
from tests.contract.conftest import QUEUE_MODES
from tests.contract.fair_model import FairModel
from tests.contract.harness import ONE, OTHER, RedisHarness, TypeLimits, answer, number, task
from tests.contract.quick import FEWER
from tests.helpers import CLUSTER, FAKE, connect

NUMBERS = st.integers(min_value=-2, max_value=5)
OWNERS = st.sampled_from(["a", "b"])
ASKERS = st.builds(
    Asker,
    st.sampled_from("xyz"),
    priority=st.sampled_from([3, 3, 3, 1, 5]),
    weight=st.sampled_from([1, 4]),
    max_waiting=st.sampled_from([0, 0, 0, 2]),
)
MAX_ATTEMPTS = 2

# No shrinking: picks are random, so that a shorter run of the same steps need not fail again.
RUNS = settings(
    phases=(Phase.explicit, Phase.generate),
    database=None,
    max_examples=FEWER if FAKE or CLUSTER else 60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

REDIS_QUEUE_MODES = [name for name in QUEUE_MODES if name != "synchronous"]


class AskingMachine(RuleBasedStateMachine):
    """Ask, ask again, discard, cancel, let a worker work: each task is where the model says."""

    make: Callable[[], Any]
    flush: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.flush()
        self.harness = self.make()
        self.manager = self.harness.manager
        self.model: dict[int, State] = {}
        self.turns: dict[int, int] = {}
        """When each task began to wait, as a number that only grows."""
        self.fair = FairModel()

    def teardown(self) -> None:
        self.harness.close()

    def waiting(self) -> list[int]:
        return [n for n, state in self.model.items() if state is State.WAITING]

    def submitted(self, numbers: list[int], asker: Asker = NOBODY) -> None:
        if not self.waiting():
            self.fair.nothing_waits()
        for n in numbers:
            if self.model.get(n, State.CANCELLED) is State.CANCELLED:
                if self.manager.promises.fair and self.fair.is_full(asker):
                    self.model.pop(n, None)
                    continue
                self.model[n] = State.WAITING
                self.turns[n] = max(self.turns.values(), default=0) + 1
                self.fair.submit(n, asker, waits=False)
            elif self.model[n] is State.WAITING:
                self.fair.submit(n, asker, waits=True)

    def in_order(self, numbers: list[int]) -> bool:
        """Whether `numbers` are the first that wait, in their order, where that is promised."""
        first = sorted(self.waiting(), key=self.turns.__getitem__)[: len(numbers)]
        promises = self.manager.promises
        if not promises.one_queue:
            return True
        is_fair = self.fair.are_first(numbers, self.waiting()) or not promises.fair
        return is_fair and (numbers == first or not promises.ordered)

    @rule(numbers=st.lists(NUMBERS, max_size=4), awaited=st.booleans(), asker=ASKERS)
    def ask(self, numbers: list[int], awaited: bool, asker: Asker) -> None:
        if not self.manager.promises.one_queue:  # of which each has a limit of its own
            asker = asker._replace(max_waiting=0)
        cancelled = {n for n, state in self.model.items() if state is State.CANCELLED}
        self.submitted([n for n in numbers if not (awaited and n in cancelled)], asker)
        tasks = [replace(task(n), awaited=awaited, asker=asker) for n in numbers]
        outcomes = self.manager.submit(tasks)
        refused = [isinstance(each, ClientOverloadedError) for each in outcomes]
        assert refused == [n not in self.model for n in numbers]
        states = [each.state for each in outcomes if isinstance(each, Status)]
        assert states == [self.model[n] for n in numbers if n in self.model]

    @rule(n=NUMBERS)
    def discard(self, n: int) -> None:
        if self.model.get(n) in (State.DONE, State.FAILED):
            del self.model[n]
        self.submitted([n])
        (status,) = self.manager.submit([task(n)], discard=True)
        assert status.state is self.model[n]

    @rule(n=NUMBERS)
    def cancel(self, n: int) -> None:
        before = self.model.get(n)
        if before is None:
            assert self.manager.cancel(ONE, task(n).id) is None
        elif before.terminal:
            with pytest.raises(AlreadyTerminalError):
                self.manager.cancel(ONE, task(n).id)
        else:
            assert self.manager.cancel(ONE, task(n).id).state is State.CANCELLED
            self.model[n] = State.CANCELLED

    @rule()
    def work(self) -> None:
        ran = self.harness.work_once()
        assert self.in_order(ran)
        self.fair.claim(ran)
        for n in ran:
            assert self.model[n] is State.WAITING
            self.model[n] = State.DONE if n >= 0 else State.FAILED

    @invariant()
    def every_task_is_as_the_model_says(self) -> None:
        for n in range(-2, 6):
            status: Status | None = self.manager.status(ONE, task(n).id)
            assert (status.state if status else None) == self.model.get(n), n
            if status and status.state in (State.DONE, State.FAILED):
                assert status.body is not None

    @invariant()
    def load_counts_what_waits_and_runs(self) -> None:
        (load,) = self.manager.load([ONE])
        states = list(self.model.values())
        assert load.waiting == states.count(State.WAITING)
        assert load.running == states.count(State.RUNNING)


class AnsweringMachine(AskingMachine):
    """Two owners besides, which claim, finish (late too), release, die and are cancelled."""

    harness: RedisHarness

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, dict[int, Claim]] = {"a": {}, "b": {}}
        """What each owner believes it holds; it may have lost it."""
        self.holder: dict[int, str] = {}
        self.attempts: dict[int, int] = {}
        self.manager.renew({"a": [ONE, OTHER], "b": [ONE, OTHER]}, lease_s=60)

    def submitted(self, numbers: list[int], asker: Asker = NOBODY) -> None:
        for n in numbers:
            if self.model.get(n, State.CANCELLED) is State.CANCELLED:
                self.attempts[n] = 0
        super().submitted(numbers, asker)

    def waits_again(self, n: int) -> None:
        if not self.waiting():
            self.fair.nothing_waits()
        self.fair.come_back(n)
        self.model[n] = State.WAITING

    @rule(owner=OWNERS, limit=st.integers(1, 5))
    def claim(self, owner: str, limit: int) -> None:
        waiting = {n for n, state in self.model.items() if state is State.WAITING}
        claims = self.manager.claim(owner, [ONE, OTHER], limit)
        numbers = [number(claim) for claim in claims]
        assert set(numbers) <= waiting
        assert len(set(numbers)) == len(numbers) <= limit
        assert bool(numbers) == bool(waiting)
        if any(self.attempts[n] for n in waiting):
            assert len(numbers) == 1, "a task whose owner died goes first and alone"
        else:
            assert self.in_order(numbers)
        self.fair.claim(numbers)
        for n, claim in zip(numbers, claims, strict=True):
            self.attempts[n] += 1
            assert (claim.attempts, claim.alone) == (self.attempts[n], self.attempts[n] > 1)
            self.model[n], self.holder[n], self.held[owner][n] = State.RUNNING, owner, claim

    @rule(owner=OWNERS, how_many=st.integers(1, 4))
    def finish(self, owner: str, how_many: int) -> None:
        chosen = list(self.held[owner])[:how_many]
        results = [self.harness.result(self.held[owner].pop(n)) for n in chosen]
        self.manager.finish(owner, results)
        for n in chosen:
            mine = self.model.get(n) is State.RUNNING and self.holder.get(n) == owner
            no_result = self.model.get(n) in (None, State.WAITING, State.RUNNING)
            if mine or (n >= 0 and no_result):
                self.model[n] = State.DONE if n >= 0 else State.FAILED

    @rule(owner=OWNERS)
    def release(self, owner: str) -> None:
        self.manager.release(owner, list(self.held[owner].values()))
        for n in list(self.held[owner]):
            if self.model.get(n) is State.RUNNING and self.holder[n] == owner:
                self.waits_again(n)
                self.attempts[n] -= 1
        self.held[owner].clear()

    @rule(owner=OWNERS, running=st.none() | st.sets(NUMBERS), lost=st.booleans())
    def die(self, owner: str, running: set[int] | None, lost: bool) -> None:
        ids = None if running is None else [task(n).id for n in running]
        self.manager.recover(owner, [ONE, OTHER], ids)
        for n, state in list(self.model.items()):
            if state is State.RUNNING and self.holder[n] == owner:
                counts = running is None or n in running
                if counts and self.attempts[n] >= MAX_ATTEMPTS:
                    self.model[n] = State.FAILED
                else:
                    self.waits_again(n)
                    self.attempts[n] -= 0 if counts else 1
        if not lost:  # else it was only paused, and goes on believing
            self.held[owner].clear()
        self.manager.renew({owner: [ONE, OTHER]}, lease_s=60)

    @rule()
    def work(self) -> None:
        """Work is what the owners do here."""


@pytest.mark.parametrize("queue_mode", REDIS_QUEUE_MODES)
def test_asking(queue_mode: str, redis_url: str) -> None:
    """Every Redis queue mode does what the model of asking does."""
    check(AskingMachine, queue_mode, redis_url)


@pytest.mark.parametrize("queue_mode", ["random", "distributed", "ordered"])
def test_answering(queue_mode: str, redis_url: str) -> None:
    """Both halves together do what the model does, whoever dies, lingers or comes late."""
    check(AnsweringMachine, queue_mode, redis_url)


def check(machine: type[AskingMachine], queue_mode: str, redis_url: str) -> None:
    """Runs `machine` on one queue mode."""
    limits = {name: TypeLimits(max_attempts=MAX_ATTEMPTS) for name in (ONE, OTHER)}
    client = connect(redis_url)
    bound = type(
        machine.__name__,
        (machine,),
        {
            "make": staticmethod(lambda: QUEUE_MODES[queue_mode](redis_url, limits)),
            "flush": staticmethod(client.flushall),
        },
    )
    # A worker of RQ takes a while to start, and each step of work starts one.
    examples = 20 if queue_mode == "rq" else RUNS.max_examples
    run_state_machine_as_test(bound, settings=settings(RUNS, max_examples=examples))
    client.close()


def test_model_knows_the_answers() -> None:
    """The harness' worker fails negative numbers, as the model expects."""
    assert b"error" in answer(-1)
    assert b"error" not in answer(1)
