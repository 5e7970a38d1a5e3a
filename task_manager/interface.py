"""The task manager: where tasks wait. This file is the specification of every queue mode.

Two halves. `TaskSubmitter` is for the HTTP server: submit tasks, get their status. `TaskClaimer` is
for workers: claim tasks, finish them, keep the claims of living processes, hand back those of
dead ones. Both speak of tasks, never of Redis.

Every method that talks to Redis raises `UnavailableError` when Redis is away or refuses; the call
then may or may not have happened, and repeating it is safe. Where Redis is a cluster, a part of it
may be away with some task types. What is asked of other types goes on, and each method says how it
tells the rest. Every method is safe to call from
several threads. Times are Redis' own, as Unix milliseconds.

What a queue mode does not promise it declares in `Promises`; tests and docs read the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

from task_manager.errors import NoStatusError
from task_manager.listing import Page, Place, WorkerSeen
from task_manager.shared_values import SharedValues, ValuesInMemory
from task_manager.tally import Runs, Tally
from task_manager.values import (
    NO_RUNS,
    Allowance,
    Claim,
    Load,
    Memory,
    Promises,
    Renewal,
    Result,
    State,
    Status,
    Task,
)

if TYPE_CHECKING:
    from task_manager.kept import KeptTasks


class Watch(Protocol):
    """A running subscription to finished tasks."""

    def close(self) -> None: ...


class TaskSubmitter(ABC):
    """The half for those who submit: servers and jobs."""

    promises: ClassVar[Promises]

    @abstractmethod
    def submit(
        self, tasks: Sequence[Task], *, discard: bool = False
    ) -> list[Status | NoStatusError]:
        """Keeps each task alive for its type's `input_ttl_s` and returns its status.

        A finished task is answered from its result; a waiting or running one is kept alive;
        any other begins to wait, also a cancelled one unless it is `awaited`. Never makes a
        duplicate. One round trip, atomic per task type and for those that are `awaited`. `discard`
        first drops a result, so that the task runs again.

        Returns:
            One item per task, in order; a `NoStatusError` where a new task met a limit, where an
            answer is too large beside the others, or where the task's type is away.
        """

    def reachable(self, type_names: Sequence[str]) -> list[str]:
        """Those of these types that can be asked about now, in order: with one Redis all, of which
        no look is taken. A method below that is asked about another of them, too, fails.

        Raises:
            UnavailableError: none can.
        """
        return list(type_names)

    def known_types(self) -> list[str]:
        """Types that some process of this deployment serves or works for, or did within a day:
        this one need not know them. Those alone can be asked by `status` and `cancel`, beside those
        that it knows."""
        return []

    @abstractmethod
    def status(self, type_name: str, task_id: str) -> Status | None:
        """A task's status, whatever its version, without keeping it alive; None when unknown or
        expired."""

    def statuses(
        self, type_name: str, task_ids: Sequence[str], *, keep_s: float | None = None
    ) -> list[Status | None]:
        """As `status` of each, in order; one round trip, though not atomic.

        Args:
            type_name: their type.
            task_ids: their ids.
            keep_s: for so long those are kept alive, s, that nobody can submit here: of another
                version, or of a type that only others know. None keeps none alive.
        """
        return [self.status(type_name, task_id) for task_id in task_ids]

    @abstractmethod
    def cancel(self, type_name: str, task_id: str) -> Status | None:
        """Cancels a waiting or running task, whatever its version, for all clients; None when
        unknown.

        It is `cancelled` until somebody submits it anew; the process that runs it is stopped within
        seconds.

        Raises:
            AlreadyTerminalError: it is finished already.
        """

    @abstractmethod
    def load(self, type_names: Sequence[str]) -> list[Load]:
        """The load of each type; O(1) in the number of tasks."""

    @abstractmethod
    def other_versions(self, type_names: Sequence[str]) -> list[Load]:
        """The load of other versions of these types than this process', where they have tasks or
        workers: during an update, and where somebody forgot to start or to end something."""

    @abstractmethod
    def pause(self, type_name: str, *, paused: bool) -> None:
        """Has workers begin no task of a type, of whatever version, until it is resumed. Its tasks
        can be submitted, and those that run go on.

        Raises:
            CannotPauseError: this queue mode has no workers that could pause.
        """

    @abstractmethod
    def oldest(self, type_names: Sequence[str]) -> list[float | None]:
        """For how long the task of each type waits that waits longest, s; None where none waits.

        Of a few hundred tasks at most: those that are next, or a sample where the pick is random.
        """

    @abstractmethod
    def tallies(self, type_names: Sequence[str]) -> list[Tally]:
        """What happened to the tasks of each type; O(1) in the number of tasks."""

    @abstractmethod
    def hours(self, type_names: Sequence[str]) -> list[Mapping[int, Mapping[str, int]]]:
        """What happened in each of the last `HISTORY_H` hours to the tasks of each type.

        By hour since 1970; events as of `Tally`. An hour is told where its end is not longer ago
        than `Tally.minutes` go back, or where this was called since, which keeps it.
        """

    @abstractmethod
    def listed(
        self,
        type_names: Sequence[str],
        state: State | None = None,
        *,
        prefix: str = "",
        limit: int = 50,
        after: Place | None = None,
    ) -> Page:
        """Tasks of these types, up to `limit`, from behind the place `after` on; those alone whose
        ids begin with `prefix`. One round trip, whose cost does not depend on what waits.

        By when they became what they are, the newest first: of each type and terminal state the
        last thousand of all versions whose results have not expired. Those in the state waiting
        alone are in the order of their turns, where there are any; else only some of them
        are told, which are next, and none where the queue mode does not promise to list them.

        Raises:
            CannotListError: `state` is waiting, and this queue mode cannot list those.
        """

    @abstractmethod
    def cancel_waiting(self, type_name: str, most: int) -> tuple[list[str], bool]:
        """Cancels up to `most` waiting tasks of a type, as `cancel` does one; the ids of those,
        and whether more may wait. Atomic.

        Raises:
            CannotListError: as of `listed`.
        """

    @abstractmethod
    def workers(self, type_names: Sequence[str]) -> list[WorkerSeen]:
        """Owners whose lease is valid, per type that they serve, in all its versions, up to
        `MOST_WORKERS`."""

    def memory(self) -> Memory | None:
        """What Redis uses; None where there is none, or nobody may ask it."""
        return None

    def allow(
        self, client: str, requests_per_s: float, burst_s: float, wanted: int
    ) -> Allowance | None:
        """Up to `wanted` requests of a client, counted for all servers of a deployment.

        On average it may make `requests_per_s`; after a pause, as many at once as in `burst_s`, but
        at least one. None where nothing is counted for others than this process.
        """
        return None

    def kept(self) -> KeptTasks | None:
        """The tasks that servers keep alive; None where none can be kept without a client."""
        return None

    def shared_values(self) -> SharedValues:
        """Small values that all servers of this deployment share. Call it once: where there is no
        Redis, each call makes values of their own, in this process."""
        return ValuesInMemory()

    @abstractmethod
    def watch(
        self,
        on_finished: Callable[[Sequence[str]], None],
        on_connected: Callable[[bool], None],
        on_failed: Callable[[Exception], None] = lambda _error: None,
    ) -> Watch:
        """Calls `on_finished` with the ids of tasks that became terminal or whose result was
        discarded, from one thread, a few ms after the fact. `on_connected(False)` says that
        such news may be missing until `on_connected(True)`; `on_failed` hears why each attempt
        to connect failed, of which a connection that broke is none."""

    @abstractmethod
    def ping(self) -> None:
        """Returns when Redis does all that a submit, a claim and a result need, within 2 s; for
        some type, where it is a cluster.

        Raises:
            UnavailableError: it is away, or takes no writes for now.
        """

    def check(self) -> None:
        """As `ping`, once, at the start of a program: also finds what would be refused later.

        Raises:
            MisconfiguredError: Redis will refuse some of it until somebody changes a setting.
        """
        self.ping()

    @abstractmethod
    def close(self) -> None:
        """Lets go of connections and threads; the manager cannot be used afterwards."""


class TaskClaimer(ABC):
    """The half for workers. An `owner` is one worker process' name, unique for ever.

    Every method but `renew` and those of locks raises `PartlyUnavailableError` where it was made
    for some types, and others are away; and `UnavailableError` where it was made for none.

    Where `types` are asked for, queues may be named instead.
    """

    def queues(self, type_names: Sequence[str]) -> list[str]:
        """Where tasks of these types wait: mostly a queue for each, called as its type. Of several
        queues of a type some may be away."""
        return list(type_names)

    def queue_of(self, type_name: str, task_id: str) -> str:
        """In which of them a task waits, or has waited."""
        return type_name

    @abstractmethod
    def claim(
        self,
        owner: str,
        types: Sequence[str],
        limit: int,
        wait_s: float = 0.0,
        leave: int = 0,
        *,
        suspects: bool = True,
        unless: Callable[[], bool] = lambda: False,
    ) -> list[Claim]:
        """Up to `limit` waiting tasks of `types`, now running and held by `owner`.

        One round trip when tasks wait; else blocks up to `wait_s` seconds for one to come, and may
        return earlier with nothing. `unless` is asked after that wait: where it is true, nothing is
        claimed any more. `leave` tasks are left waiting (for idle workers). A task to
        be retried alone comes alone, and first; not at all without `suspects`. A task that nobody
        wants any more never comes. Atomic.
        """

    @abstractmethod
    def finish(
        self,
        owner: str,
        results: Sequence[Result],
        types: Sequence[str] = (),
        limit: int = 0,
        leave: int = 0,
        *,
        suspects: bool = True,
        runs: Mapping[str, Runs] = NO_RUNS,
    ) -> list[Claim]:
        """Stores results, ends their claims, tells watchers; then claims like `claim`, all in one
        round trip. `runs`, by type, are those of which the results came, to be tallied.

        The first result wins: a later one changes nothing. Where `owner` lost the claim meanwhile,
        a `done` result is kept if none exists, a failure is not.
        """

    @abstractmethod
    def release(self, owner: str, claims: Sequence[Claim]) -> None:
        """Gives claims back that were not begun: they wait again, this attempt not counted."""

    @abstractmethod
    def release_unbegun(self, owner: str, types: Sequence[str], begun: Collection[str]) -> int:
        """Gives back, in the name of an owner that does not answer, all that it holds but `begun`.

        They wait again, this attempt not counted; the owner goes on to hold the others.

        Returns:
            How many claims were given back.
        """

    @abstractmethod
    def renew(self, owners: Mapping[str, Sequence[str]], lease_s: float) -> Renewal:
        """Keeps all claims of each owner (mapped to the types it serves) for `lease_s` from now.

        Also registers a new owner. Called by supervisors once a second, one round trip.

        Raises:
            UnavailableError: all types are away.
        """

    @abstractmethod
    def recover(
        self, owner: str, types: Sequence[str], running: Collection[str] | None = None
    ) -> int:
        """Ends an owner that died or stopped: its claims wait again at once.

        Those whose ids are in `running` (None: all) count as an attempt and are retried alone;
        at the type's `max_attempts` they fail instead, saying so. Those that nobody wants any
        more are dropped. Safe to repeat and to race.

        Returns:
            How many claims were ended.
        """

    @abstractmethod
    def progress(self, owner: str, reports: Mapping[str, tuple[str, float, str]]) -> None:
        """Shows how far running tasks are: id → (type, fraction 0..1, message). Ids that `owner`
        does not hold are ignored."""

    @abstractmethod
    def take_lock(self, name: str, owner: str, ttl_s: float) -> bool:
        """Takes, or keeps for `ttl_s` more, the lock called `name`; False while another has it."""

    @abstractmethod
    def release_lock(self, name: str, owner: str) -> None:
        """Lets go of the lock called `name` if `owner` has it."""


class TaskManager(TaskSubmitter, TaskClaimer):
    """Both halves."""
