"""What the two halves of the task manager speak of: tasks, statuses, claims, results, limits."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from task_manager.errors import UnavailableError
from task_manager.tally import Runs

PRIORITIES = range(1, 6)
USUAL_PRIORITY = 3
MOST_WEIGHT = 100


class State(enum.StrEnum):
    """Where a task is; `done`, `failed`, `cancelled` are terminal. An expired task is unknown."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done", True
    FAILED = "failed", True
    CANCELLED = "cancelled", True

    terminal: bool

    def __new__(cls, value: str, terminal: bool = False) -> State:
        state = str.__new__(cls, value)
        state._value_, state.terminal = value, terminal
        return state


class Limits(Protocol):
    """What a manager must know of a task type; a `TaskType` of the registry has these."""

    version: str
    input_ttl_s: float | None
    failure_ttl_s: float | None
    max_attempts: int | None
    max_load: int | None
    coordinated: bool


class Asker(NamedTuple):
    """Who asks, and how urgently: what decides whose turn it is where the pick is fair."""

    client: str = ""
    """The turns of waiting tasks are shared between clients."""
    priority: int = USUAL_PRIORITY
    """From 1, which is first, to 5; a task of a lower number is claimed before all others."""
    weight: int = 1
    """How many turns the client has to one of a client of weight 1; up to `MOST_WEIGHT`."""
    max_waiting: int = 0
    """Most tasks of the client that may wait, per task type and priority; 0: no limit."""


NOBODY = Asker()
NO_RUNS: Mapping[str, Runs] = {}


@dataclass(slots=True)
class Task:
    """One input of one task type. `input` is canonical JSON; `id` is its hash with the type's."""

    id: str
    type: str
    input: bytes
    awaited: bool = field(default=False, kw_only=True)
    """Whoever submits it has submitted it before and still waits for it. If it was cancelled
    meanwhile, that is the answer, instead of a reason to run it anew."""
    asker: Asker = field(default=NOBODY, kw_only=True)


@dataclass(slots=True)
class Status:
    """How a task is. `load` counts its type's waiting and running tasks at the time of the answer.

    `body` is there once the task is done or failed: a JSON object of the echoed input fields,
    then the output fields or one `error` object. `progress` is (fraction from 0 to 1, message).
    """

    id: str
    type: str
    state: State
    load: int
    body: bytes | None = None
    progress: tuple[float, str] | None = None
    attempts: int = 0
    submitted_ms: int | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    expires_ms: int | None = None
    """When a terminal task is forgotten."""
    input: bytes | None = None
    """What a waiting or running task asks for; only `TaskSubmitter.status` tells it."""
    version: str = ""
    """Where it is known to be of another version than its type has in this process: which one."""


@dataclass(frozen=True, slots=True)
class Load:
    """How busy one task type is."""

    type: str
    waiting: int
    running: int
    workers: int
    """Owners whose lease is valid and which serve this type."""
    version: str = ""
    """Where it is not that of this process."""
    paused: bool = False


class Memory(NamedTuple):
    """Of Redis, in bytes; a limit of 0 is none."""

    used_bytes: int
    limit_bytes: int


class Claim(NamedTuple):
    """A running task that an owner holds. `alone`: run it in a batch of its own, since a process
    died with it before. `attempts` counts claims, this one included."""

    id: str
    type: str
    input: bytes
    attempts: int
    alone: bool


class Result(NamedTuple):
    """What came of a claim: `body` as in `Status`, kept for `ttl_s` seconds."""

    id: str
    type: str
    state: State
    body: bytes
    ttl_s: float


class Allowance(NamedTuple):
    """How many requests a client may make now, and in how many seconds one where that is none."""

    granted: int
    wait_s: float


class Lifetimes(Protocol):
    """What a `TaskType` of the registry says of how long its results are kept."""

    name: str
    result_ttl_s: float | None
    failure_ttl_s: float | None


def result_of(kind: Lifetimes, task_id: str, done: bool, body: bytes) -> Result:
    """The result of a task of `kind`, which is done or failed."""
    if done:
        return Result(task_id, kind.name, State.DONE, body, kind.result_ttl_s or 0.0)
    return Result(task_id, kind.name, State.FAILED, body, kind.failure_ttl_s or 0.0)


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a renewal told: `lost` owners had lapsed (their claims may be with others by now),
    `dead` are other owners whose lease is over (call `recover`), with the types in which it is, and
    `cancelled` are ids of running tasks that were cancelled, by owner. For types that are `away`
    nothing was renewed."""

    lost: frozenset[str]
    dead: Mapping[str, frozenset[str]]
    cancelled: Mapping[str, frozenset[str]]
    away: Mapping[str, UnavailableError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promises:
    """What a queue mode promises beyond the contract that all keep."""

    uses_redis: bool = True
    ordered: bool = False
    """First come, first served."""
    fair: bool = False
    """No client delays another by more than its share, and priorities hold strictly."""
    claims: bool = True
    """Implements `TaskClaimer`; else its own worker does the work."""
    answers_at_once: bool = False
    """`submit` returns only when the task is terminal."""
    progress: bool = True
    """`progress` of a running task shows in its status."""
    retries_alone: bool = True
    """A task whose owner died is retried in a batch of its own."""
    batches: bool = True
    """Inputs that wait together may be run together; else one `run` gets one input."""
    one_round_trip: bool = True
    """`submit`, and `claim` and `finish` where there are any, are one round trip to Redis."""
    leases: bool = True
    """The tasks of a machine that is gone come back within the lease that the settings name."""
    stops_runs: bool = True
    """A run that is cancelled or over its time ends within seconds, whatever it does."""
    lists_waiting: bool = True
    """Waiting tasks can be listed, and all of a type cancelled."""
    one_queue: bool = True
    """Turns and limits hold for a type as a whole; else for each of its queues (`Split`)."""

    @property
    def in_turn(self) -> bool:
        """Claims come in the order in which they are to begin."""
        return self.ordered or self.fair
