"""429: one address that asks too fast is slowed down, others are not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.middleware.rate_limit import BURST_S, MOST_ADDRESSES, RateLimit
from tests.http.conftest import SETTINGS
from tests.http.fakes import FakeManager


@pytest.fixture
def limited(registry: Registry) -> Iterator[FlaskClient]:
    """A server that lets an address make one request a second."""
    app = create_app(dataclasses.replace(SETTINGS, client_rate=1.0), FakeManager(), registry)
    yield app.test_client()
    app.extensions["doneyet"].close()


def test_a_burst_is_let_through_then_the_rate_holds() -> None:
    """Five seconds' worth at once, then one per interval; waiting as told is enough."""
    limit = RateLimit(10.0)
    burst = int(10 * BURST_S)
    assert [limit.too_early_s("a", 0.0) for _ in range(burst)] == [0.0] * burst
    early_s = limit.too_early_s("a", 0.0)
    assert early_s == pytest.approx(0.1)
    assert limit.too_early_s("a", early_s) == 0.0
    assert limit.too_early_s("a", early_s) > 0


def test_a_refused_request_does_not_count() -> None:
    """Hammering does not make it worse."""
    limit = RateLimit(1.0)
    for _ in range(100):
        limit.too_early_s("a", 0.0)
    assert limit.too_early_s("a", 1.0) == 0.0


def test_other_addresses_are_not_slowed_down() -> None:
    """Each has its own allowance."""
    limit = RateLimit(1.0)
    for _ in range(100):
        limit.too_early_s("a", 0.0)
    assert limit.too_early_s("b", 0.0) == 0.0


def test_memory_is_bounded() -> None:
    """Addresses that were quiet for long are forgotten, busy ones are not."""
    limit = RateLimit(1.0)
    for n in range(MOST_ADDRESSES):
        limit.too_early_s(str(n), 0.0)
    for _ in range(5):
        limit.too_early_s("busy", 100.0)
    assert len(limit._due_s) == 1
    assert limit.too_early_s("busy", 100.0) > 0


def test_rate_limited_is_a_problem_with_retry_after(limited: FlaskClient) -> None:
    """429 says when to come again; health checks are always answered."""
    answers = [limited.post("/factorize", json={"number": 6}) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429] * 2
    problem = answers[-1]
    assert problem.content_type == "application/problem+json"
    assert problem.headers["Retry-After"] == "1"
    assert problem.get_json()["type"] == "urn:doneyet:problem:rate-limited"
    assert limited.get("/load").status_code == 429
    assert limited.get("/healthz").status_code == 200


def test_no_limit_by_default(client: FlaskClient) -> None:
    """Many clients behind one proxy share an address, so a limit is a choice."""
    codes = {client.post("/factorize", json={"number": 6}).status_code for _ in range(200)}
    assert codes == {202}


def test_no_number_of_addresses_takes_more_room() -> None:
    """All of them ask at the same time, so that none may be forgotten for being quiet."""
    limit = RateLimit(1.0)
    for n in range(3 * MOST_ADDRESSES):
        assert limit.too_early_s(str(n), 0.0) == 0.0
    assert len(limit._due_s) <= MOST_ADDRESSES
