"""The peers, each in one configuration for many short tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import redis

RESULT_DB = 7
"""A database in which a peer keeps nothing but results, so that counting them is easy."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer. `finished(server, total)` counts the tasks whose result is stored.

    `program` is how its one worker process is started, in its own environment.
    """

    name: str
    label: str
    tasks: int
    how: str
    program: tuple[str, ...]
    finished: Callable[[redis.Redis, int], int]
    node: bool = False
    budget: str = "drain by others"


def _results_in_own_db(server: redis.Redis, _total: int) -> int:
    return int(server.info("keyspace").get(f"db{RESULT_DB}", {}).get("keys", 0))


def _members(key: str, server: redis.Redis, _total: int) -> int:
    return int(server.zcard(key))


def _fields(key: str, server: redis.Redis, _total: int) -> int:
    return int(server.hlen(key))


def _all_but_members(key: str, server: redis.Redis, total: int) -> int:
    return total - int(server.zcard(key))


PEERS = (
    Peer(
        name="bullmq",
        label="BullMQ",
        tasks=30_000,
        how="concurrency 100",
        program=(),
        finished=partial(_members, "bull:noop:completed"),
        node=True,
        budget="drain by BullMQ",
    ),
    Peer(
        name="rq",
        label="RQ",
        tasks=2_000,
        how="SimpleWorker, no fork for each job; logs off; a job whose worker dies fails",
        program=(
            *("-m", "rq.cli", "worker", "--url", "{url}", "--quiet"),
            *("--worker-class", "rq.worker.SimpleWorker", "default"),
        ),
        finished=partial(_members, "rq:finished:default"),
    ),
    Peer(
        name="celery",
        label="Celery",
        tasks=3_000,
        how="prefork 1, acks_late, prefetch 64; no gossip, mingle, heartbeat",
        program=(
            *("-m", "celery", "-A", "benchmarks.peers.celery", "worker", "--loglevel", "ERROR"),
            *("--pool", "prefork", "--concurrency", "1", "-O", "fair"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
        finished=_results_in_own_db,
    ),
    Peer(
        name="dramatiq",
        label="Dramatiq",
        tasks=4_000,
        how="1 process, 8 threads (its default), results stored",
        program=(
            *("-m", "dramatiq", "benchmarks.peers.dramatiq"),
            *("--processes", "1", "--threads", "8", "--skip-logging"),
        ),
        finished=_results_in_own_db,
    ),
    Peer(
        name="arq",
        label="arq",
        tasks=4_000,
        how="100 jobs at once, polling every 10 ms, logs off",
        program=(
            *("-m", "arq", "benchmarks.peers.arq.WorkerSettings"),
            *("--custom-log-dict", "benchmarks.peers.arq.QUIET"),
        ),
        finished=partial(_all_but_members, "arq:queue"),
    ),
    Peer(
        name="saq",
        label="SAQ",
        tasks=4_000,
        how="concurrency 100",
        program=("-m", "saq", "benchmarks.peers.saq.settings", "--quiet"),
        finished=partial(_all_but_members, "saq:default:incomplete"),
    ),
    Peer(
        name="taskiq",
        label="taskiq",
        tasks=4_000,
        how="Redis stream broker, 1 worker, 100 tasks at once",
        program=(
            *("-m", "taskiq", "worker", "benchmarks.peers.taskiq:broker", "--workers", "1"),
            *("--max-async-tasks", "100", "--log-level", "ERROR"),
        ),
        finished=_results_in_own_db,
    ),
    Peer(
        name="huey",
        label="Huey",
        tasks=4_000,
        how="1 thread; a task whose worker dies is lost",
        program=(
            *("-m", "huey.bin.huey_consumer", "benchmarks.peers.huey.huey"),
            *("--workers", "1", "--worker-type", "thread", "--no-periodic", "--quiet"),
        ),
        finished=partial(_fields, "huey.results.noop"),
        budget="",
    ),
)
