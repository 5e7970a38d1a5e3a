"""Streams of events on real connections: a server, a Redis, and a worker that reports progress."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.system import System as LocalSystem
from tests.helpers import wait_until
from tests.http.conftest import TASKS, System
from tests.http.event_reader import EventReader
from tests.http.servers import ServerProcess, serving
from tests.stopwatch import Stopwatch

MANY = 200


@pytest.fixture(scope="module")
def local() -> Iterator[LocalSystem]:
    """A system whose worker runs real processes, since these report progress."""
    settings = {"DONEYET_TASKS": TASKS, "DONEYET_LEASE_S": "1"}
    with LocalSystem(processes=1, settings=settings) as running:
        yield running


def ask(url: str, path: str, **given: float) -> str:
    """The id of a task that is submitted."""
    response = requests.post(f"{url}{path}", json=given, timeout=10)
    return str(response.json()["id"])


def watch(url: str, task_id: str, last_id: str = "") -> EventReader:
    """The events of a task."""
    return EventReader.at(f"{url}/tasks/{task_id}/events", last_id)


def is_free(url: str) -> Callable[[], bool]:
    """Whether a request is held there: who finds no place is answered at once."""

    def held() -> bool:
        headers = {"Prefer": "wait=1"}
        reply = requests.post(f"{url}/factorize", json={"number": 11}, headers=headers, timeout=10)
        return "Preference-Applied" in reply.headers

    return held


def test_progress_comes_live(local: LocalSystem) -> None:
    """While the task runs, and not at its end; then the answer, as `GET` tells it."""
    task_id = ask(local.url, "/steps", seconds=3)
    events = watch(local.url, task_id)
    answer = events.first("answer")
    progress = [each for each in events.events if each.name == "progress"]
    assert len(progress) > 4
    assert answer.at_s - progress[1].at_s > 1
    fractions = [each.data["fraction"] for each in progress]
    assert fractions == sorted(set(fractions))
    assert progress[-1].data["message"].startswith("step ")
    assert answer.data == requests.get(f"{local.url}/tasks/{task_id}", timeout=5).json()
    events.wait_for_end()
    assert events.broken is None
    assert [name for name in events.names if name != "progress"][-2:] == ["status", "answer"]


def test_the_answer_comes_soon(system: System) -> None:
    """Within a second of being finished; soon after the news of it."""
    took_s: list[float] = []
    for number in range(10):
        with system.work.paused():
            events = watch(system.url, ask(system.url, "/factorize", number=2000 + number))
            events.first("status")
        watch_s = Stopwatch()
        events.first("answer")
        took_s.append(watch_s.s)
        assert watch_s.within_s(1), watch_s
    assert statistics.median(took_s) < 0.4, took_s


def test_coming_again(local: LocalSystem) -> None:
    """A connection that broke goes on where it was."""
    task_id = ask(local.url, "/steps", seconds=2.5)
    first = watch(local.url, task_id)
    first.first("progress")
    first.close()
    first.wait_for_end()
    again = watch(local.url, task_id, first.events[-1].id)
    again.first("answer")
    seen = [(each.name, each.id) for each in first.events]
    assert not set(seen) & {(each.name, each.id) for each in again.events}
    assert "status" not in again.names
    told = requests.get(
        f"{local.url}/tasks/{task_id}/events",
        headers={"Last-Event-ID": again.events[-1].id},
        timeout=5,
    )
    assert told.status_code == 204


def test_a_killed_worker(local: LocalSystem) -> None:
    """The task waits again, runs again, and the stream tells all of it."""
    task_id = ask(local.url, "/steps", seconds=2.2)
    events = watch(local.url, task_id)
    os.kill(int(events.first("progress").data["message"].split()[-1]), signal.SIGKILL)
    answer = events.first("answer")
    assert answer.data["attempts"] == 2
    running = [each for each in events.events if each.data.get("status") == "running"]
    assert len({each.id for each in running}) == 2


def test_many_streams(system: System) -> None:
    """Two hundred at once, while polls stay quick; then all get their answers."""
    with system.work.paused():
        ids = [ask(system.url, "/factorize", number=5000 + number) for number in range(MANY)]
        readers = [watch(system.url, task_id) for task_id in ids]
        for each in readers:
            each.first("status")
        polls_s = []
        for number in range(50):
            began_s = time.monotonic()
            ask(system.url, "/factorize", number=5000 + number)
            polls_s.append(time.monotonic() - began_s)
    assert statistics.median(polls_s) < 0.1, polls_s
    for each in readers:
        assert each.first("answer").data["done"]


def test_a_watched_task_lives(redis_url: str) -> None:
    """Much longer than one submit keeps it; without watchers it expires."""
    flags = ("--input-ttl-s", "1", "--key-prefix", "watched", "--tasks", TASKS)
    with serving(*flags, redis_url=redis_url) as server:
        task_id = ask(server.url, "/factorize", number=6)
        events = watch(server.url, task_id)
        watch_s = Stopwatch()
        while watch_s.s < 4:
            assert requests.get(f"{server.url}/tasks/{task_id}", timeout=5).ok
            time.sleep(0.1)
        assert events.names == ["status"]
        events.close()
        path = f"{server.url}/tasks/{task_id}"
        wait_until(
            lambda: requests.get(path, timeout=5).status_code == 404, description="it expires"
        )


def test_cancelled_is_the_answer(idle_system: System) -> None:
    """Nobody who watches starts it anew."""
    task_id = ask(idle_system.url, "/factorize", number=77)
    events = watch(idle_system.url, task_id)
    events.first("status")
    path = f"{idle_system.url}/tasks/{task_id}"
    assert requests.delete(path, timeout=5).ok
    assert events.first("answer").data["error"]["code"] == "cancelled"
    assert requests.get(path, timeout=5).json()["status"] == "cancelled"


def test_a_client_that_goes_frees_its_place(redis_url: str) -> None:
    """Within seconds, and long before a comment is due; a third stream is refused meanwhile."""
    flags = ("--max-waiting", "2", "--key-prefix", "places", "--tasks", TASKS)
    with serving(*flags, redis_url=redis_url) as server:
        task_id = ask(server.url, "/factorize", number=6)
        both = [watch(server.url, task_id) for _ in range(2)]
        for each in both:
            each.first("status")
        refused = requests.get(f"{server.url}/tasks/{task_id}/events", timeout=5)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert not is_free(server.url)()
        for each in both:
            each.close()
        watch_s = Stopwatch()
        wait_until(is_free(server.url), description="a place is free")
        assert watch_s.within_s(6), watch_s


def test_drain(redis_url: str) -> None:
    """SIGTERM ends streams in order, and the server soon after."""
    server = ServerProcess("--key-prefix", "drained", redis_url=redis_url)
    events = watch(server.url, ask(server.url, "/factorize", number=6))
    events.first("status")
    watch_s = Stopwatch()
    server.stop()
    assert watch_s.within_s(4), watch_s
    events.wait_for_end(5)
    assert (events.broken, events.names) == (None, ["status"])


def test_redis_stops_and_starts() -> None:
    """The stream stays open meanwhile, and tells the answer afterwards."""
    with EmbeddedRedis(append_only=True) as redis:
        system = LocalSystem(processes=1, redis_url=redis.url, settings={"DONEYET_TASKS": TASKS})
        with system:
            events = watch(system.url, ask(system.url, "/steps", seconds=1))
            events.first("status")
            redis.kill()
            ready = f"{system.url}/readyz"
            wait_until(
                lambda: requests.get(ready, timeout=5).status_code == 503,
                description="Redis is missed",
            )
            assert not events.ended.is_set()
            redis.start()
            assert events.first("answer").data["steps"] == 10


def test_the_synchronous_mode() -> None:
    """A task that another request has begun is watched."""
    with serving("--synchronous", "--tasks", TASKS) as server:
        task_id = ask_in_the_background(server.url)
        events = watch(server.url, task_id)
        assert events.first("status").data["status"] == "running"
        answer = events.first("answer").data
        assert (answer["slept"], answer["done"], answer["seconds"]) == (True, True, 1.5)


def ask_in_the_background(url: str) -> str:
    """The id of a task that a request waits for, which in this mode is told with the answer."""
    from doneyet.settings import Settings
    from doneyet.task_types import load_registry

    body = {"seconds": 1.5}
    kind = load_registry(Settings(tasks=TASKS)).types["sleep"]
    threading.Thread(
        target=lambda: requests.post(f"{url}/sleep", json=body, timeout=20), daemon=True
    ).start()
    task_id = kind.task_id(b'{"seconds":1.5}')
    path = f"{url}/tasks/{task_id}"

    def runs() -> bool:
        told = requests.get(path, timeout=5)
        return told.ok and bool(told.json()["status"] == "running")

    wait_until(runs, description="the task runs")
    return str(task_id)
