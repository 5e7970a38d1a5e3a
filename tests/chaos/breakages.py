"""What can happen to an installation. Each breakage ends with everything whole again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator

from tests.chaos.installation import Installation, descendants
from tests.faults.redis.refusing_redis import REFUSALS

Breakage = Callable[[Installation, random.Random], None]

BREAKAGES: dict[str, Breakage] = {}
"""By name."""


def breakage(function: Breakage) -> Breakage:
    """One more of them."""
    BREAKAGES[function.__name__] = function
    return function


@breakage
def worker_process_killed(installation: Installation, chance: random.Random) -> None:
    """As by a crash of a handler, or for want of memory."""
    found = _worker_processes(installation, chance)
    if found:
        _signal(chance.choice(found), signal.SIGKILL)


@breakage
def worker_process_stopped(installation: Installation, chance: random.Random) -> None:
    """As by a debugger, or by swapping; for longer than a lease."""
    found = _worker_processes(installation, chance)
    if found:
        with _stopped(chance.choice(found)):
            time.sleep(3)


@breakage
def worker_killed(installation: Installation, chance: random.Random) -> None:
    """The supervisor and, by that, all of its processes: a machine that is gone."""
    at = chance.randrange(2)
    worker = installation.systems[at].worker
    assert worker is not None
    family = [*descendants(worker.pid), worker.pid]
    for pid in family:
        _signal(pid, signal.SIGKILL)
    time.sleep(chance.uniform(0, 2))
    installation.restart_worker(at)


@breakage
def worker_updated(installation: Installation, chance: random.Random) -> None:
    """Ended in order, and started again."""
    installation.restart_worker(chance.randrange(2))


@breakage
def server_killed(installation: Installation, chance: random.Random) -> None:
    """With all requests that it holds."""
    at = chance.randrange(2)
    server = installation.systems[at].http_server
    assert server is not None
    for pid in [*descendants(server.pid), server.pid]:
        _signal(pid, signal.SIGKILL)
    time.sleep(chance.uniform(0, 1))
    installation.restart_server(at)


@breakage
def server_stopped(installation: Installation, chance: random.Random) -> None:
    """It takes connections and answers nothing."""
    server = installation.systems[chance.randrange(2)].http_server
    assert server is not None
    with contextlib.ExitStack() as stack:
        for pid in [server.pid, *descendants(server.pid)]:
            stack.enter_context(_stopped(pid))
        time.sleep(chance.uniform(1, 3))


@breakage
def server_updated(installation: Installation, chance: random.Random) -> None:
    """Drained, and started again."""
    installation.restart_server(chance.randrange(2))


@breakage
def redis_killed(installation: Installation, chance: random.Random) -> None:
    """As by a power cut; what it said is on its disk."""
    installation.redis.kill()
    time.sleep(chance.uniform(0, 2))
    installation.redis.start()


@breakage
def redis_stopped(installation: Installation, chance: random.Random) -> None:
    """As while it forks on a large machine; for longer than calls wait."""
    with _stopped(installation.redis.pid):
        time.sleep(chance.uniform(1, 4))


@breakage
def redis_refuses(installation: Installation, chance: random.Random) -> None:
    """A full disk, too little memory, a replica that became master, ..."""
    installation.refusals.refuse(chance.choice([*REFUSALS]))
    time.sleep(chance.uniform(1, 3))
    installation.refusals.relent()


@breakage
def scripts_forgotten(installation: Installation, chance: random.Random) -> None:
    """As by a restart, or by somebody who tidies up."""
    installation.refusals.refuse("NOSCRIPT")
    time.sleep(0.3)
    installation.refusals.relent()


@breakage
def network_cut(installation: Installation, chance: random.Random) -> None:
    """All connections to Redis are closed; new ones work."""
    installation.network.cut()


@breakage
def network_mute(installation: Installation, chance: random.Random) -> None:
    """All connections to Redis say nothing more, and neither do new ones for a while."""
    installation.network.mute_new = True
    installation.network.mute()
    time.sleep(chance.uniform(0.5, 3))
    installation.network.mute_new = False
    installation.network.cut()


@breakage
def network_slow(installation: Installation, chance: random.Random) -> None:
    """A fifth of a second there, and another one back."""
    installation.network.delay_s = 0.2
    time.sleep(3)
    installation.network.delay_s = 0.0


def _worker_processes(installation: Installation, chance: random.Random) -> list[int]:
    """Those that run tasks, of one of the workers."""
    worker = chance.choice(installation.systems).worker
    assert worker is not None
    return descendants(worker.pid)


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    _signal(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself meanwhile
        os.kill(pid, number)
