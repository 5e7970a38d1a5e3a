"""Two versions of a type as a state machine: whoever asks, works or cancels, neither takes the
other's tasks, and every server tells of all of them what the model says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from task_manager.errors import AlreadyTerminalError
from task_manager.values import Claim, Result, State, Status
from tests.contract.harness import ONE, OTHER, RedisHarness, TypeLimits, number
from tests.contract.test_state_machine import RUNS
from tests.contract.test_versions import answer, task
from tests.helpers import connect

VERSIONS = ("1", "2")
STRANGER = "a server that does not know the type"
VERSION = st.sampled_from(VERSIONS)
SERVER = st.sampled_from([*VERSIONS, STRANGER])
NUMBERS = range(3)
NUMBER = st.sampled_from(NUMBERS)
TASKS = [(version, n) for version in VERSIONS for n in NUMBERS]


class VersionsMachine(RuleBasedStateMachine):
    """Each version has a server and a worker; a third server has neither."""

    make: Callable[[str, Sequence[str]], RedisHarness]
    flush: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.flush()
        self.servers = {version: self.make(version, [ONE, OTHER]) for version in VERSIONS}
        self.servers[STRANGER] = self.make("1", [OTHER])
        self.model: dict[tuple[str, int], State] = {}
        self.held: dict[str, list[Claim]] = {version: [] for version in VERSIONS}
        for version in VERSIONS:
            self.renew(version)

    def teardown(self) -> None:
        for server in self.servers.values():
            server.close()

    def renew(self, version: str) -> None:
        self.servers[version].manager.renew({f"worker-{version}": [ONE]}, lease_s=60)

    @rule(version=VERSION, numbers=st.lists(NUMBER, max_size=3, unique=True))
    def ask(self, version: str, numbers: list[int]) -> None:
        for n in numbers:
            if self.model.get((version, n), State.CANCELLED) is State.CANCELLED:
                self.model[version, n] = State.WAITING
        statuses = self.servers[version].manager.submit([task(n, version) for n in numbers])
        states = [each.state for each in statuses if isinstance(each, Status)]
        assert states == [self.model[version, n] for n in numbers]

    @rule(version=VERSION, limit=st.integers(1, 4))
    def claim(self, version: str, limit: int) -> None:
        claims = self.servers[version].manager.claim(f"worker-{version}", [ONE], limit)
        for claim in claims:
            assert self.model[version, number(claim)] is State.WAITING
            assert claim.id == task(number(claim), version).id
            self.model[version, number(claim)] = State.RUNNING
        self.held[version] += claims

    @rule(version=VERSION)
    def finish(self, version: str) -> None:
        results = []
        for claim in self.held[version]:
            results.append(Result(claim.id, ONE, State.DONE, answer(version), 60))
            if not self.model[version, number(claim)].terminal:  # first result wins
                self.model[version, number(claim)] = State.DONE
        self.servers[version].manager.finish(f"worker-{version}", results)
        self.held[version] = []

    @rule(version=VERSION)
    def die(self, version: str) -> None:
        self.servers[version].manager.recover(f"worker-{version}", [ONE], running=())
        for (of, n), state in self.model.items():
            if of == version and state is State.RUNNING:
                self.model[of, n] = State.WAITING
        self.held[version] = []
        self.renew(version)

    @rule(server=SERVER, which=st.integers(0, len(TASKS) - 1), is_any=st.booleans())
    def cancel(self, server: str, which: int, is_any: bool) -> None:
        unfinished = [each for each, state in self.model.items() if not state.terminal]
        candidates = TASKS if is_any or not unfinished else unfinished
        version, n = candidates[which % len(candidates)]
        manager, task_id = self.servers[server].manager, task(n, version).id
        before = self.model.get((version, n))
        if before is None:
            assert manager.cancel(ONE, task_id) is None
        elif before.terminal:
            with pytest.raises(AlreadyTerminalError):
                manager.cancel(ONE, task_id)
        else:
            status = manager.cancel(ONE, task_id)
            assert status is not None
            assert status.state is State.CANCELLED
            self.model[version, n] = State.CANCELLED

    @rule(server=SERVER)
    def look(self, server: str) -> None:
        ids = [task(n, version).id for version, n in TASKS]
        statuses = self.servers[server].manager.statuses(ONE, ids)
        for each, status in zip(TASKS, statuses, strict=True):
            assert (status.state if status else None) == self.model.get(each), each
            if status is None:
                continue
            if status.state is State.DONE:
                assert status.body == answer(each[0])
            elif not status.state.terminal:
                assert status.version == ("" if server == each[0] else each[0])

    @invariant()
    def loads_are_of_one_version(self) -> None:
        for version in VERSIONS:
            (load,) = self.servers[version].manager.load([ONE])
            states = [state for (of, _), state in self.model.items() if of == version]
            assert load.waiting == states.count(State.WAITING)
            assert load.running == states.count(State.RUNNING)


@pytest.mark.parametrize("queue_mode", ["random", "distributed", "ordered"])
def test_two_versions(queue_mode: str, redis_url: str) -> None:
    """Every queue mode of ours does what the model does."""
    client = connect(redis_url)

    def make(version: str, types: Sequence[str]) -> RedisHarness:
        limits = {name: replace(TypeLimits(), version=version) for name in types}
        return RedisHarness(redis_url, limits, queue_mode)

    bound = type(
        VersionsMachine.__name__,
        (VersionsMachine,),
        {"make": staticmethod(make), "flush": staticmethod(client.flushall)},
    )
    run_state_machine_as_test(bound, settings=RUNS)
    client.close()
