"""A real server process, a real Redis and a real worker, over HTTP."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from tests.helpers import wait_until
from tests.http.conftest import System
from tests.stopwatch import Stopwatch


def test_the_seeds_polling_example(system: System) -> None:
    """Twenty numbers, asked again and again until all are done."""
    numbers = [random.randint(2, 2**20) for _ in range(20)]

    def all_done() -> bool:
        statuses = [
            requests.post(f"{system.url}/factorize", json={"number": n}, timeout=5).json()
            for n in numbers
        ]
        return all(status["done"] for status in statuses)

    wait_until(all_done, description="all numbers are factorized")
    answer = requests.post(f"{system.url}/factorize", json={"number": numbers[0]}, timeout=5).json()
    product = 1
    for prime, exponent in answer["factorization"]:
        product *= prime**exponent
    assert product == numbers[0]
    assert answer["load"] == 0


def test_waiting_is_answered_when_done(system: System) -> None:
    """`Prefer: wait` holds the request until the task is done, and says so."""
    response = ask(system, 97, wait=5)
    assert (response.status_code, response.json()["factorization_str"]) == (200, "97^1")
    assert response.headers["Preference-Applied"] == "wait=5"


def test_waiting_ends_when_the_time_is_up(idle_system: System) -> None:
    """Without a worker the request is held for as long as preferred, then answered 202."""
    system = idle_system
    watch = Stopwatch()
    response = ask(system, 98, wait=1)
    assert watch.s > 0.9
    assert watch.within_s(3), watch
    assert response.status_code == 202
    assert response.headers["Preference-Applied"] == "wait=1"


def test_waiting_for_an_array(system: System) -> None:
    """An array is held until all of it is terminal."""
    items = [{"number": n} for n in range(1000, 1200)] + [{"number": 1}]
    headers = {"Prefer": "wait=10"}
    response = requests.post(f"{system.url}/factorize", json=items, headers=headers, timeout=15)
    *answers, bad = response.json()
    assert all(answer["done"] for answer in answers)
    assert bad["status"] == 422


def test_a_failed_task(system: System) -> None:
    """A failure is an answer, in the same shape."""
    body = {"text": "fail"}
    headers = {"Prefer": "wait=5"}
    response = requests.post(f"{system.url}/upper", json=body, headers=headers, timeout=10)
    answer = response.json()
    assert (response.status_code, answer["status"], answer["upper"]) == (200, "failed", None)
    assert "told to fail" in answer["error"]["detail"]


def test_task_by_id_and_cancelling(idle_system: System) -> None:
    """A waiting task is seen by its id, cancelled, and begins anew when asked again."""
    system = idle_system
    first = ask(system, 99)
    where = system.url + first.headers["Location"]
    told = requests.get(where, timeout=5).json()
    assert (told["status"], told["type"], told["number"]) == ("waiting", "factorization", 99)
    assert requests.delete(where, timeout=5).json()["status"] == "cancelled"
    assert requests.delete(where, timeout=5).status_code == 409
    assert ask(system, 99).json()["status"] == "waiting"


def test_discarding_runs_again(system: System) -> None:
    """`Cache-Control: no-cache` computes a finished answer anew."""
    url = f"{system.url}/factorize"
    first = ask(system, 101, wait=5).json()
    before = requests.get(f"{system.url}/tasks/{first['id']}", timeout=5).json()
    headers = {"Cache-Control": "no-cache", "Prefer": "wait=5"}
    assert requests.post(url, json={"number": 101}, headers=headers, timeout=10).json()["done"]
    after = requests.get(f"{system.url}/tasks/{first['id']}", timeout=5).json()
    assert after["submitted_at"] > before["submitted_at"]


def test_load_counts(idle_system: System) -> None:
    """`/load` counts what waits; answers repeat a load for at most 250 ms."""
    system = idle_system
    for number in range(500, 505):
        ask(system, number)
    assert requests.get(f"{system.url}/load/factorization", timeout=5).json()["waiting"] == 5
    wait_until(lambda: ask(system, 500).json()["load"] == 5, description="the load is 5")


def test_an_answer_is_seen_at_once(system: System) -> None:
    """The first poll after a task has finished tells so."""
    with system.work.paused():
        assert ask(system, 103).status_code == 202
    watch = Stopwatch()
    wait_until(lambda: ask(system, 103).status_code == 200, description="the task is done")
    assert watch.within_s(1), watch


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET //factorize HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%ff%00%2e%2e/x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /load/%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /tasks/%ff%d8 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /factorize?%ff=%00 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"POST /factorize HTTP/1.1\r\nHost: \xff\xfe<script>\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /factorize HTTP/1.1\r\nHost: x\r\nContent-Type: \xff\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /factorize HTTP/1.1\r\nHost: x\r\nPrefer: \xff,wait\r\nContent-Length: 2\r\n\r\n{}",
        (
            b"POST /factorize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\n{}\r\n0\r\n\r\n"
        ),
        b"POST /factorize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"BREW /factorize HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 500_000 + b"\r\n\r\n",
        b"POST /factorize HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:45]),
)
def test_malformed_requests(system: System, request_bytes: bytes) -> None:
    """No request makes a 5xx, HTML or a stack trace. What granian refuses itself (its 400, 414
    and 431) has no body at all."""
    with socket.create_connection(("127.0.0.1", system.server.port), timeout=5) as connection:
        reply = b""
        with contextlib.suppress(ConnectionError, OSError):  # refused before it was all sent
            connection.sendall(request_bytes)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError), connection.makefile("rb") as stream:
            reply = stream.read()
    head, _, body = reply.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head else 400
    assert status < 500, reply
    assert b"html" not in reply.lower()
    assert b"Traceback" not in reply
    if body:
        assert b"json" in head
    assert requests.get(f"{system.url}/healthz", timeout=5).ok


def test_http2_is_not_spoken(system: System) -> None:
    """Its connections could be idle for ever; a proxy in front speaks it with browsers."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"  # and its settings
    with socket.create_connection(("127.0.0.1", system.server.port), timeout=10) as connection:
        connection.sendall(preface)
        with connection.makefile("rb") as stream:
            assert stream.read()[:13] in (b"", b"HTTP/1.1 400 "), "it is closed at once"


def test_chunked_bodies(system: System) -> None:
    """A body without a declared length is read, up to the limit."""

    def pieces(count: int) -> Iterator[bytes]:
        return iter([b'{"text": "', *([b"x" * 65536] * count), b'"}'])

    headers = {"Content-Type": "application/json"}
    small = requests.post(f"{system.url}/upper", data=pieces(3), headers=headers, timeout=10)
    assert small.status_code == 202
    large = requests.post(f"{system.url}/upper", data=pieces(140), headers=headers, timeout=10)
    assert large.status_code == 413


def test_a_body_above_the_limit_gets_its_413(system: System) -> None:
    """The client is not cut off while it still sends."""
    response = requests.post(f"{system.url}/upper", data=b"x" * 20_000_000, timeout=10)
    assert response.status_code == 413
    assert_problem_json(response)


def test_many_ask_at_once(system: System) -> None:
    """Fifty clients with the same and different questions, all answered rightly."""
    wrong: list[object] = []

    def ask_some(seed: int) -> None:
        dice = random.Random(seed)
        with requests.Session() as session:
            for _ in range(10):
                n = dice.randint(10_000, 10_030)
                headers = {"Prefer": "wait=10"}
                answer = session.post(
                    f"{system.url}/factorize", json={"number": n}, headers=headers, timeout=15
                ).json()
                if answer["number"] != n or not answer["done"]:
                    wrong.append(answer)

    threads = [threading.Thread(target=ask_some, args=(seed,)) for seed in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def ask(system: System, number: int, wait: int | None = None) -> requests.Response:
    """One question about `number`."""
    headers = {} if wait is None else {"Prefer": f"wait={wait}"}
    return requests.post(
        f"{system.url}/factorize", json={"number": number}, headers=headers, timeout=20
    )


def assert_problem_json(response: requests.Response) -> None:
    """The body is a problem object."""
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
