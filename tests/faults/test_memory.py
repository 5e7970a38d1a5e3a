"""The worst that clients can send costs a server no memory that it does not get back.

A real server process, one kind of request after another, each as bad of its kind as the limits
allow. What is measured is the resident memory of the process that serves.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.settings import Settings
from doneyet.task_types import load_registry
from task_manager import open_task_manager
from task_manager.values import Result, State
from tests.http.servers import ServerProcess, serving

pytestmark = pytest.mark.timeout(240)  # seconds when alone, minutes beside others

MOST_MORE_MIB = 300
JSON = {"Content-Type": "application/json"}
PAGE_BYTES = 4096


class Target:
    """A server, and its memory before the first bad request."""

    def __init__(self, server: ServerProcess) -> None:
        self.url, self.port, self._pid = server.url, server.port, server.child()
        for _ in range(20):
            self.post("/factorize", b'{"number": 6}')
        self._before_mib = self.resident_mib()

    def post(self, path: str, body: bytes, **headers: str) -> requests.Response:
        """One request on a connection of its own."""
        sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return requests.post(f"{self.url}{path}", data=body, headers=sent, timeout=60)

    def resident_mib(self) -> float:
        """What the serving process has in memory now."""
        return int(Path(f"/proc/{self._pid}/statm").read_text().split()[1]) * PAGE_BYTES / 2**20

    def assert_as_before(self, kind: str) -> None:
        """Resident memory is near what it was; waits a while for what is being given back."""
        give_up_s = time.monotonic() + 30
        while (more := self.resident_mib() - self._before_mib) > MOST_MORE_MIB:
            if time.monotonic() > give_up_s:
                break
            time.sleep(0.1)
        print(f"{kind}: {more:+.0f} MiB")
        assert more < MOST_MORE_MIB, kind
        assert requests.get(f"{self.url}/healthz", timeout=5).ok


def _url(redis_server: EmbeddedRedis) -> str:
    return redis_server.url.replace("/0", "/8").replace("db=0", "db=8")


@pytest.fixture(scope="module")
def target(redis_server: EmbeddedRedis) -> Iterator[Target]:
    """A server whose tasks nobody does."""
    url = _url(redis_server)
    flags = (
        "--input-db",
        "9",
        "--key-prefix",
        "memory",
        "--tasks",
        "factorization,regression,tests.http.task_types",
    )
    with serving(*flags, "--max-load", "1000000", redis_url=url) as server:
        yield Target(server)


def test_arrays_of_wrong_items(target: Target) -> None:
    """Every item has as many wrong fields as are named."""
    fields = ",".join(f'"f{n}":1' for n in range(60))
    body = ("[" + ",".join(["{" + fields + "}"] * 9999) + "]").encode()
    for _ in range(2):
        assert target.post("/factorize", body).status_code == 200
    target.assert_as_before("arrays of wrong items")


def test_one_input_of_many_wrong_parts(target: Target) -> None:
    """Millions of fields, or of items in a field that wants others."""
    fields = "{" + ",".join(f'"f{n}":1' for n in range(200_000)) + "}"
    items = '{"question":"q","tags":[' + "1," * 1_000_000 + "1]}"
    rows = '{"x":[' + "[]," * 500_000 + '[]],"y":[' + "[]," * 500_000 + "[]]}"
    for path, body in [("/factorize", fields), ("/question-answering", items), ("/fit", rows)]:
        assert target.post(path, body.encode()).status_code == 422
    target.assert_as_before("one input of many wrong parts")


def test_keys_of_the_caches(target: Target) -> None:
    """Content types and query strings, each time others."""
    with requests.Session() as session:
        for number in range(600):
            noise = f"{number}" + "a" * 50_000
            headers = {"Content-Type": f"application/json; a={noise}"}
            session.post(f"{target.url}/factorize", data=b'{"number":6}', headers=headers)
            session.post(f"{target.url}/upper?text={noise[:-number]}")
    target.assert_as_before("content types and query strings")


def test_large_inputs(target: Target) -> None:
    """Texts of megabytes, each time others."""
    noise = random.Random(1).randbytes(2**22).hex()[:8_000_000]
    for number in range(8):
        target.post("/upper", json.dumps({"text": f"{number}{noise}"}).encode())
        target.post("/upper", f"{number} {noise}".encode(), Content_Type="text/plain")
    target.assert_as_before("large inputs")


def test_large_numbers_of_rows(target: Target) -> None:
    """Regressions of a million numbers."""
    for number in range(2):
        column = ",".join(["1.5", str(number)] * 250_000)
        assert target.post("/fit", f'{{"x":[{column}],"y":[{column}]}}'.encode()).status_code == 202
    target.assert_as_before("regressions of a million numbers")


def test_held_arrays(target: Target) -> None:
    """Clients that wait for ten thousand tasks each; most are answered at once."""

    def hold(number: int) -> int:
        items = [{"number": 10**9 + number * 10_000 + item} for item in range(10_000)]
        body = json.dumps(items).encode()
        return target.post("/factorize", body, Prefer="wait=4").status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(hold, range(16))) <= {200, 503}
    target.assert_as_before("held arrays")


def test_arrays_of_large_answers(target: Target, redis_server: EmbeddedRedis) -> None:
    """Hundreds of megabytes that are there, asked for at once by several; all come in time."""
    settings = Settings(
        redis_url=_url(redis_server),
        input_db=9,
        key_prefix="memory",
        tasks="tests.http.task_types",
    )
    types = load_registry(settings).types
    asked = [{"text": f"large {n}"} for n in range(250)]
    target.post("/upper", json.dumps(asked).encode())
    with contextlib.closing(open_task_manager(settings, types)) as manager:
        manager.renew({"test": ["upper"]}, lease_s=60)
        body = b'{"text":"large","upper":"' + b"X" * 2**20 + b'"}'
        while claims := manager.claim("test", ["upper"], limit=20):
            done = [Result(claim.id, "upper", State.DONE, body, 60) for claim in claims]
            manager.finish("test", done)

    def ask_for_all(_: int) -> int:
        left, most_mib = asked, 0.0
        while left:
            told = target.post("/upper", json.dumps(left).encode())
            assert told.status_code in (200, 503), told.text[:200]
            if told.ok:
                most_mib = max(most_mib, len(told.content) / 2**20)
                left = [
                    each for each, one in zip(left, told.json(), strict=True) if "id" not in one
                ]
        return round(most_mib)

    with ThreadPoolExecutor(3) as pool:
        largest = list(pool.map(ask_for_all, range(3)))
    assert max(largest) < 100, "MiB in one reply: what is cached, and two round trips"
    target.assert_as_before("arrays of large answers")


def test_answers_that_nobody_reads(target: Target) -> None:
    """Clients that ask for megabytes and read none of them, one request after the other."""
    body = json.dumps([{"text": "x" * 400, "extra": n} for n in range(9_000)]).encode()
    head = b"POST /upper HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    request = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    with contextlib.ExitStack() as opened:
        for _ in range(30):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", target.port)))
            connection.settimeout(2)
            with contextlib.suppress(OSError):
                connection.sendall(request)
                connection.sendall(request)
        target.assert_as_before("answers that nobody reads, while they wait")
    target.assert_as_before("answers that nobody read, afterwards")


def test_many_threads_at_once(target: Target) -> None:
    """Large bodies by many clients at the same time: what threads had is given back."""
    noise = "y" * 1_000_000

    def ask(number: int) -> None:
        for again in range(3):
            target.post("/upper", json.dumps({"text": f"{number} {again}{noise}"}).encode())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    target.assert_as_before("many threads at once")
