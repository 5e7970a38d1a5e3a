"""The working half of the ordered discipline: what RQ's worker asks of Redis, each call atomic.

RQ's own steps (pop, fetch, register, store, clean up) are several round trips; a worker killed
between two of them would lose a task or answer it twice. Here each is one script. An *execution* is
one run of one task by one worker; its entry in RQ's registry of started jobs is its lease.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rq.utils import now, utcformat

from task_manager import ordered_keys as keys
from task_manager import scripts
from task_manager.connection import Connection
from task_manager.interface import Limits, Result, State
from task_manager.keys import Keys
from task_manager.ordered_jobs import encode_result
from task_manager.redis_manager import deadly_failure, ms
from task_manager.scripts import Call

_MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Held:
    """What a worker runs: one execution of one task; `cancelled` asks for its end."""

    type: str
    task_id: str
    execution_id: str
    cancelled: bool = False


class Executions:
    """Taking, keeping, finishing and recovering executions."""

    def __init__(self, url: str, limits: Mapping[str, Limits], prefix: str, lease_s: float) -> None:
        self._connection = Connection(url)
        self._limits = limits
        self._prefix = prefix
        self._lease_ms = ms(lease_s)
        self._channel = Keys(prefix).finished()

    def close(self) -> None:
        """Lets go of the connections."""
        self._connection.close()

    def take(self, types: Sequence[str], worker: str, execution_id: str) -> tuple[str, str] | None:
        """The type and id of the first wanted task of the first of `types` that has one.

        It is running from now on, held by `worker` for one lease. None when nothing waits.
        """
        for name in types:
            queue = keys.QueueKeys(self._prefix, name)
            call = Call(
                "ordered/take",
                [queue.queue, queue.waiting, queue.running, keys.worker(worker)],
                [keys.JOB_PREFIX, worker, execution_id, self._lease_ms, utcformat(now())],
            )
            while (task_id := self._run([call])[0]) is not None:
                if task_id:
                    return name, task_id.decode()
        return None

    def wait(self, types: Iterable[str], timeout_s: float) -> None:
        """Returns when a task may wait in one of `types`, at the latest after `timeout_s`."""
        wake = [keys.QueueKeys(self._prefix, name).wake for name in types]
        with self._connection.blocking_client() as client:
            client.blpop(wake, timeout=timeout_s)

    def finish(self, result: Result, execution_id: str, worker: str) -> bool:
        """Stores a result, ends its execution, tells watchers; the first result wins.

        A late `done` result (the execution had lapsed) is kept if there is none yet, a late failure
        is not. False where it was not kept.
        """
        queue = keys.QueueKeys(self._prefix, result.type)
        done = result.state is State.DONE
        call = Call(
            "ordered/finish",
            [
                *(keys.job(result.id), keys.results(result.id), queue.waiting, queue.running),
                queue.finished if done else queue.failed,
            ],
            [
                *(result.id, execution_id, int(done), "finished" if done else "failed"),
                *(encode_result(done, result.body), ms(result.ttl_s), self._channel, worker),
                utcformat(now()),
            ],
        )
        return bool(self._run([call])[0])

    def renew(self, workers: Sequence[str]) -> list[Held | None]:
        """Keeps each worker and what it runs for another lease; one round trip.

        Returns:
            What each runs; None where it runs nothing or is not registered.
        """
        arguments: list[scripts.Argument] = [
            self._lease_ms,
            keys.JOB_PREFIX,
            keys.QUEUE_PREFIX,
            keys.RUNNING_PREFIX,
        ]
        replies = self._run(
            [Call("ordered/renew", [keys.worker(name)], arguments) for name in workers]
        )
        return [_read_held(reply) for reply in replies]

    def recover_worker(self, worker: str, types: Sequence[str], *, counts: bool = True) -> str:
        """Ends what a dead worker ran: it waits again at once, first in its queue.

        At the type's `max_attempts` it fails instead, saying so; when nobody wants it any more it
        is dropped. With `counts` false the attempt is not counted (the worker was told to stop).
        Also makes the worker unknown to RQ's tools. Safe to repeat and to race.

        Returns:
            "left" (it ran nothing), "waiting", "failed" or "dropped".
        """
        key = keys.worker(worker)
        with self._connection.client() as client:
            told: list[Any] = client.hmget(key, ["held", "held_queue"])
        held, queue = told
        outcome = "left"
        if held and queue:
            name = queue.decode().removeprefix(keys.QUEUE_PREFIX)
            outcome = self._recover(name, held.decode(), known_dead=True, counts=counts)
        with self._connection.client() as client:
            pipeline = client.pipeline()
            pipeline.delete(key)
            pipeline.srem(keys.WORKERS, key)
            for name in types:
                pipeline.srem(keys.QueueKeys(self._prefix, name).workers, key)
            pipeline.execute()
        return outcome

    def recover_lapsed(self, types: Sequence[str]) -> int:
        """Recovers all executions of `types` whose lease is over; tells how many were.

        The same as `recover_worker`, for workers whose whole machine is gone.
        """
        ended = 0
        with self._connection.client() as client:
            seconds, micros = client.time()
            lapsed: list[Any] = [
                client.zrangebyscore(
                    keys.QueueKeys(self._prefix, name).running,
                    "-inf",
                    seconds + micros / 1e6,
                    0,
                    _MOST_AT_ONCE,
                )
                for name in types
            ]
        for name, entries in zip(types, lapsed, strict=True):
            for held in entries:
                outcome = self._recover(name, held.decode(), known_dead=False, counts=True)
                ended += outcome != "left"
        return ended

    def give_back(self, held: Held) -> None:
        """Ends an execution that did not come to run its task: it waits again, not counted."""
        entry = f"{held.task_id}:{held.execution_id}"
        self._recover(held.type, entry, known_dead=True, counts=False)

    def progress(self, held: Held, fraction: float, message: str) -> None:
        """Shows how far a running task is."""
        self._run(
            [
                Call(
                    "ordered/progress",
                    [keys.job(held.task_id)],
                    [held.execution_id, f"{fraction:.4f} {message}"],
                )
            ]
        )

    def _recover(self, name: str, held: str, *, known_dead: bool, counts: bool) -> str:
        task_id, _, execution_id = held.partition(":")
        queue = keys.QueueKeys(self._prefix, name)
        limits = self._limits[name]
        call = Call(
            "ordered/recover",
            [
                *(keys.job(task_id), keys.results(task_id), queue.queue, queue.waiting),
                *(queue.running, queue.failed, queue.wake),
            ],
            [
                *(task_id, execution_id, int(known_dead), int(counts), limits.max_attempts or 1),
                encode_result(False, deadly_failure().encode()),
                *(ms(limits.failure_ttl_s or 1.0), self._channel),
            ],
        )
        return str(self._run([call])[0].decode())

    def _run(self, calls: Sequence[Call]) -> list[Any]:
        if not calls:
            return []
        with self._connection.client() as client:
            return scripts.run(client, calls)


def _read_held(reply: Sequence[bytes] | None) -> Held | None:
    if not reply:
        return None
    held, queue, status = (part.decode() for part in reply)
    task_id, _, execution_id = held.partition(":")
    name = queue.removeprefix(keys.QUEUE_PREFIX)
    return Held(name, task_id, execution_id, cancelled=status == "canceled")
