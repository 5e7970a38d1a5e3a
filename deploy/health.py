"""`python -m deploy.health` in a container: exits with 0 while its program can do its work.

What runs here, and with which settings, is read from the command line of process 1, so flags count
as they do for the program. The HTTP server is asked whether it is ready. A worker is healthy while
one of this machine's worker processes holds a valid lease: its models are loaded, its supervisor
renews, and Redis hears it. A supervisor whose processes come when they are needed (`--processes
0..4`) holds one while there are none.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from doneyet.command.setting_options import settings_from
from doneyet.settings import HTTP_SERVER, WORKER, Settings

if TYPE_CHECKING:
    from redis import Redis

    from task_manager.redis.clients import Client

TIMEOUT_S = 4.0


def main(command: Sequence[str]) -> int:
    """Prints how the program that `command` started is; the exit code."""
    program, arguments = program_of(command)
    settings = settings_from(program, arguments)
    trouble = server_trouble(settings) if program == HTTP_SERVER else worker_trouble(settings)
    sys.stdout.write((trouble or "healthy") + "\n")
    return 1 if trouble else 0


def program_of(command: Sequence[str]) -> tuple[str, list[str]]:
    """The program after `-m` and its arguments, from a whole command line."""
    for place, word in enumerate(command[:-1]):
        if word == "-m" and command[place + 1] in (HTTP_SERVER, WORKER):
            return command[place + 1], list(command[place + 2 :])
    raise SystemExit(f"process 1 is no program of doneyet: {' '.join(command)}")


def server_trouble(settings: Settings) -> str:
    """Why the HTTP server is not ready; empty when it is."""
    everywhere = settings.host in ("", "0.0.0.0", "::")
    host = "127.0.0.1" if everywhere else settings.host
    host = f"[{host}]" if ":" in host else host
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"http://{host}:{settings.port}/readyz", timeout=TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        return f"the HTTP server answers {error.code}: {error.read().decode()}"
    except OSError as error:
        return f"the HTTP server does not answer: {error}"
    return ""


def worker_trouble(settings: Settings) -> str:
    """Why no worker process of this machine can work; empty when one can."""
    from task_manager.errors import TaskManagerError
    from task_manager.owners import host
    from task_manager.redis.clients import each_server
    from task_manager.redis.connection import Connection

    here = host()
    connection = Connection(settings.redis_url)
    try:
        with connection.client() as client:
            rq = settings.queue_mode == "rq"
            names = _rq_workers(each_server(client)[0]) if rq else _owners(client, settings)
    except TaskManagerError as error:
        return str(error)
    finally:
        connection.close()
    if any(name.startswith(f"{here}-") for name in names):
        return ""
    return f"no worker process of {here} holds a valid lease"


def _owners(client: Client, settings: Settings) -> list[str]:
    """Owners, of the types that this worker serves, whose lease is valid by Redis' clock.

    Its processes' types where it has some: that its supervisor coordinates says little of them.
    """
    from redis import RedisError

    from doneyet.task_types import load_registry
    from task_manager.redis.keys import Keys, version_marks
    from task_manager.split_queues import split_limits

    registry = load_registry(settings)
    if settings.types:
        registry = registry.only(name.strip() for name in settings.types.split(","))
    limits = split_limits(settings, registry.run_by_processes.types or registry.types)
    keys, names = Keys(settings.key_prefix, version_marks(limits)), list(limits)
    found: list[str] = []
    failed: list[RedisError] = []
    for name in names:
        try:
            found += _owners_of(client, keys.owners(name))
        except RedisError as error:  # a part of a cluster is away, and this worker's types in it
            failed.append(error)
    if len(failed) == len(names):
        raise failed[0]
    return found


def _owners_of(client: Client, key: str) -> list[str]:
    from task_manager.redis.scripts.run_on_cluster import at_node

    with at_node(client, key) as node:
        seconds, microseconds = node.time()
        now_ms = seconds * 1000 + microseconds // 1000
        found = node.zrangebyscore(key, now_ms, "+inf")
    return [owner.decode() for owner in found if isinstance(owner, bytes)]


def _rq_workers(client: Redis) -> list[str]:
    """RQ's workers whose record has not expired; those that have ended are taken off at once."""
    from rq.worker import BaseWorker

    prefix, known = BaseWorker.redis_worker_namespace_prefix, BaseWorker.redis_workers_keys
    found = [key.decode() for key in client.smembers(known) if isinstance(key, bytes)]
    return [key.removeprefix(prefix) for key in found if client.exists(key)]


if __name__ == "__main__":
    sys.exit(main(Path("/proc/1/cmdline").read_text().split("\0")[:-1]))
