"""A trace that a request comes with goes on in the server, and is linked to by its batch's span."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.managed_process import free_port
from doneyet.local.system import System
from http_server.middleware.traced import MOST_OF_PATH, with_spans
from task_manager.redis.trace_links import MOST_LINKS, TraceLinks
from tests.conftest import NO_TRACING
from tests.helpers import wait_until
from tests.tracing import traced_tasks
from tests.tracing.collector import Collector, Heard

TRACE, OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c", "1" * 32
SPAN = "b7ad6b7169203331"
Start = Callable[..., System]
ROOT = Path(__file__).parents[2]
SERVER, CONSUMER = 2, 5
"""Kinds of spans."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Where spans are sent to."""
    with Collector() as collector:
        yield collector


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts systems that trace, and stops them."""
    with ExitStack() as stack:

        def started(url: str, mode: str = "random", every_ms: int = 100) -> System:
            monkeypatch.delenv("PYTHONPATH")  # the suite's programs have no OpenTelemetry
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
            monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", str(every_ms))
            tasks = {"DONEYET_TASKS": traced_tasks.__name__, "DONEYET_TRACING": "on"}
            system = System(queue_mode=mode, processes=1, settings=tasks, grace_s=5)
            return stack.enter_context(system)

        yield started


def ask(system: System, number: int, trace: str = TRACE) -> requests.Response:
    """The answer, in a trace."""
    return requests.post(
        f"{system.url}/halves",
        json={"n": number},
        headers={"traceparent": f"00-{trace}-{SPAN}-01", "Prefer": "wait=20"},
        timeout=30,
    )


def heard(collector: Collector, service: str, name: str, count: int = 1) -> list[Heard]:
    """So many spans."""
    return wait_until(
        lambda: found if len(found := collector.of(service, name)) >= count else [],
        description=f"{count} of {service}: {name} among {collector.spans}",
    )


@pytest.mark.parametrize("mode", ["random", "distributed"])
def test_a_trace_from_request_to_batch(mode: str, collector: Collector, start: Start) -> None:
    """Who follows a trace sees the request, and from the batch's span who asked for it."""
    system = start(collector.url, mode)
    assert ask(system, 8).json()["half"] == 4
    (request,) = heard(collector, "doneyet-server", "POST /halves")
    assert (request.trace, request.parent, request.kind) == (TRACE, SPAN, SERVER)
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/halves",
        "http.response.status_code": 200,
        "url.path": "/halves",
    }
    (batch,) = heard(collector, "doneyet-worker", "run halves")
    assert batch.links == {TRACE}
    assert (batch.parent, batch.kind) == ("", CONSUMER)
    assert batch.trace != TRACE
    assert batch.attributes["messaging.batch.message_count"] == 1
    assert (batch.attributes["doneyet.done"], batch.attributes["doneyet.failed"]) == (1, 0)
    assert not batch.is_error
    (own,) = heard(collector, "doneyet-worker", "compute")
    assert (own.trace, own.parent) == (batch.trace, batch.id)


def test_failures_and_what_is_not_traced(collector: Collector, start: Start) -> None:
    """A failed batch is an error; health checks and requests that are not sampled leave nothing."""
    system = start(collector.url)
    unsampled = {"traceparent": f"00-{OTHER_TRACE}-{SPAN}-00"}
    requests.post(f"{system.url}/halves", json={"n": 2}, headers=unsampled, timeout=30)
    assert requests.get(f"{system.url}/healthz", timeout=30).ok
    assert ask(system, 3).json()["error"]
    odd = wait_until(
        lambda: [span for span in collector.of("doneyet-worker", "run halves") if span.is_error],
        description="a failed batch is heard of",
    )
    assert odd[0].links == {TRACE}
    assert odd[0].attributes["doneyet.failed"] == 1
    heard(collector, "doneyet-server", "POST /halves")
    assert OTHER_TRACE not in {span.trace for span in collector.spans}
    assert not [
        span for span in collector.spans if "healthz" in span.attributes.get("url.path", "")
    ]


def test_a_collector_that_is_away_changes_nothing(start: Start) -> None:
    """Answers come as ever, and the programs end in time."""
    system = start(f"http://127.0.0.1:{free_port()}")
    assert ask(system, 8).json()["half"] == 4
    system.stop()


def test_what_is_kept_of_traces_is_bounded(redis_server: EmbeddedRedis) -> None:
    """The first of them, for a while."""
    links = TraceLinks(redis_server.url, "links")
    noted = [f"00-{number:032x}-{SPAN}-01" for number in range(1, 21)]
    for each in noted:
        links.note([("a", "one"), ("a", "two")], each)
    assert links.of("a", ["one", "two", "three"]) == noted[:MOST_LINKS]
    links.close()
    with redis.Redis.from_url(redis_server.url) as client:
        keys = client.keys("links:*")
        assert [client.zcard(key) for key in keys] == [MOST_LINKS] * 2
        assert all(0 < client.ttl(key) <= 3600 for key in keys)


@pytest.mark.parametrize("junk", ["", "00-1-2-3", f"ff-{TRACE}-{SPAN}-01", "x" * 9000, "\xff"])
def test_what_strangers_send_is_bounded(junk: str) -> None:
    """Junk for a trace begins another one; methods that there are not have one name; long paths
    are cut: a span is made before anybody is refused."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [])
        return []

    traced = with_spans(app, provider.get_tracer("x"))
    for method in ("post", "MADE-UP"):
        path = "/" + "x" * 60_000
        traced(
            {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_TRACEPARENT": junk},
            lambda *_: lambda _: None,
        )
    known, made_up = exporter.get_finished_spans()
    assert (known.name, made_up.name) == ("POST", "HTTP")
    for span, method in ((known, "POST"), (made_up, "_OTHER")):
        told = span.attributes or {}
        assert told["http.request.method"] == method
        assert len(str(told["url.path"])) == MOST_OF_PATH
        assert span.parent is None


def test_the_last_spans_are_sent_when_a_program_ends(collector: Collector, start: Start) -> None:
    """Otherwise an update would lose what happened in the seconds before it."""
    system = start(collector.url, every_ms=600_000)
    assert ask(system, 8).json()["half"] == 4
    system.stop()
    (batch,) = collector.of("doneyet-worker", "run halves")
    assert batch.links == {TRACE}
    assert len(collector.of("doneyet-server", "POST /halves")) == 1


@pytest.mark.parametrize("program", ["http_server", "worker"])
def test_a_program_that_cannot_trace_does_not_start(
    program: str, redis_server: EmbeddedRedis
) -> None:
    """It says in one line what to install; no process of it is started again and again."""
    environ = {**os.environ, "PYTHONPATH": str(NO_TRACING), "DONEYET_REDIS_URL": redis_server.url}
    ended = subprocess.run(
        [sys.executable, "-m", program, "--tracing", "on", "--tasks", "factorization"],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    (line,) = [each for each in ended.stderr.splitlines() if "DONEYET_TRACING" in each]
    assert 'pip install "doneyet[tracing]"' in line
    assert "Traceback" not in ended.stderr
