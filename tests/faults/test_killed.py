"""Whatever is killed, every task that is polled for is answered, with few repeated runs."""

from __future__ import annotations

import signal

import redis
import requests

from doneyet.local.managed_process import Part
from tests.faults.conftest import LEASE_S, FaultSystem, Polling, StartSystem, signal_each
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch

NUMBERS = list(range(40))
BATCH = 4


def test_worker_process_killed_in_mid_batch(start_system: StartSystem) -> None:
    """Its batch runs again within a second, one by one; its other tasks are unharmed."""
    running = start_system(processes=2)
    polling = running.poll("slower", NUMBERS)
    running.wait_for_runs(9)
    signal_each([running.latest_pid], signal.SIGKILL)
    watch = Stopwatch()
    wait_until(
        lambda: any(count > 1 for count in running.runs.values()),
        description="a task of the killed process runs again",
    )
    assert watch.within_s(1), watch
    polling.assert_all_right()
    repeated = {n: count for n, count in running.runs.items() if count > 1}
    assert len(repeated) <= BATCH
    assert set(repeated.values()) == {2}


def test_machine_killed(start_system: StartSystem) -> None:
    """Supervisor and processes die together: their tasks are back within one lease."""
    running = start_system(processes=1)
    first = running.system.worker
    assert first is not None
    running.system.worker = None
    running.system.start_worker()
    wait_until(lambda: workers(running.system.url) == 2, description="both workers serve")
    polling, held = poll_until_it_holds_one(running, first)
    begun = running.runs.total()
    signal_each(list(reversed(running.worker_processes(first))), signal.SIGKILL)
    watch = Stopwatch()
    wait_until(
        lambda: running.runs.total() > begun,
        description="its task runs again",
    )
    # The other worker is busy with a task of 3 s; then at most a lease and a renewal pass.
    assert watch.within_s(3 + LEASE_S + 1), watch
    polling.assert_all_right()
    assert {n: count for n, count in running.runs.items() if count > 1} == {held: 2}
    first.stop()


def poll_until_it_holds_one(running: FaultSystem, worker: Part) -> tuple[Polling, int]:
    """Two long tasks, of which `worker` runs one and another worker the other."""
    for n in range(1, 20, 2):
        polling = running.poll("long", [n, n + 1])
        running.wait_for_runs(n + 1)
        processes = running.worker_processes(worker)
        held = [m for m in (n, n + 1) if running.pid_running(m) in processes]
        if len(held) == 1:
            return polling, held[0]
        polling.assert_all_right()  # one worker took both
    raise AssertionError("one of two idle workers takes all")


def workers(url: str) -> int:
    """How many worker processes serve `long`."""
    return int(requests.get(f"{url}/load/long", timeout=10).json()["workers"])


def test_http_server_killed_with_clients_waiting(start_system: StartSystem) -> None:
    """Clients come back when it does; nothing runs twice, since the queue is elsewhere."""
    running = start_system(processes=1)
    polls = [running.poll("slow", NUMBERS) for _ in range(3)]
    running.wait_for_runs(5)
    server = running.system.http_server
    assert server is not None
    server.kill()
    running.system.start_http_server()
    for polling in polls:
        polling.assert_all_right()
    assert set(running.runs.values()) == {1}


def test_redis_killed_and_restarted(start_system: StartSystem) -> None:
    """With an append-only file nothing is lost: answered tasks stay, running ones run on."""
    running = start_system(processes=1)
    polling = running.poll("slow", NUMBERS)
    running.wait_for_runs(9)
    running.redis.kill()
    watch = Stopwatch()
    answer = requests.post(f"{running.system.url}/slow", json={"n": 99}, timeout=5)
    assert watch.within_s(1), watch
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert requests.get(f"{running.system.url}/readyz", timeout=5).status_code == 503
    assert requests.get(f"{running.system.url}/healthz", timeout=5).status_code == 200
    running.redis.start()
    polling.assert_all_right()
    runs = running.runs
    assert runs.total() <= len(NUMBERS) + 2 * BATCH, "at most what was claimed at the kill"
    assert requests.get(f"{running.system.url}/readyz", timeout=5).status_code == 200


def test_everything_lost_in_mid_run(start_system: StartSystem) -> None:
    """FLUSHALL with clients polling: asking again brings everything back."""
    running = start_system(processes=1)
    polling = running.poll("slow", NUMBERS)
    running.wait_for_runs(9)
    with redis.Redis.from_url(running.redis.url) as client:
        client.flushall()
        client.script_flush()
    polling.assert_all_right()
    assert running.runs.total() <= 2 * len(NUMBERS)
    assert max(running.runs.values()) <= 2
