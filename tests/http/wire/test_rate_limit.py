"""429: one address that asks too fast is slowed down, others are not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import requests
from flask.testing import FlaskClient

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.middleware.rate_limit import BURST_S, MOST_CLIENTS, RateLimit
from task_manager.errors import UnavailableError
from task_manager.values import Allowance
from tests.http.conftest import SETTINGS
from tests.http.fakes import FakeManager
from tests.http.servers import serving


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
    for n in range(MOST_CLIENTS):
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
    for n in range(3 * MOST_CLIENTS):
        assert limit.too_early_s(str(n), 0.0) == 0.0
    assert len(limit._due_s) <= MOST_CLIENTS


ANYBODY = {"PATH_INFO": "/load", "REMOTE_ADDR": "192.0.2.7"}


class Shared:
    """What all servers are granted, in the place of Redis."""

    def __init__(self, left: int) -> None:
        self.left, self.asked, self.is_away = left, 0, False

    def allow(self, client: str, rate: float, burst_s: float, wanted: int) -> Allowance:
        self.asked += 1
        if self.is_away:
            raise UnavailableError("away")
        granted = min(wanted, self.left)
        self.left -= granted
        return Allowance(granted, 0.0 if granted else 60.0)


def is_let_through(limit: RateLimit) -> bool:
    """Whether one more request is."""
    return limit.problem(ANYBODY) is None


def test_what_all_servers_are_granted_is_shared() -> None:
    """Two servers let through what there is, neither of them more; they ask once for several."""
    shared = Shared(left=30)
    servers = [RateLimit(50.0, allow=shared.allow) for _ in range(2)]
    let_through = [is_let_through(servers[n % 2]) for n in range(100)]
    assert sum(let_through) == 30
    assert shared.asked <= 10


def test_many_servers_use_up_no_more_than_one() -> None:
    """A client that comes to each of them now and then loses nothing by it, though what a server
    was granted is over soon; nor by requests that come at once."""
    shared = Shared(left=1000)
    servers = [RateLimit(50.0, allow=shared.allow) for _ in range(16)]
    for second in range(20):
        for server in servers:
            assert server._too_early_anywhere_s("a", 1.1 * second, 50.0) == 0
    assert shared.left == 1000 - 16 * 20
    (server, *_) = servers
    for _ in range(3):
        server._note("b", Allowance(5, 0.0), 1.0)
    assert server._granted["b"].requests == 3 * 4


def test_who_is_refused_costs_nothing() -> None:
    """Redis is asked again only when it said that there may be something."""
    shared = Shared(left=0)
    limit = RateLimit(50.0, allow=shared.allow)
    assert not any(is_let_through(limit) for _ in range(1000))
    assert shared.asked == 1


def test_while_redis_is_away_each_counts_for_itself() -> None:
    """Requests are let through as far as this server knows, and Redis is not asked each time."""
    shared = Shared(left=0)
    shared.is_away = True
    limit = RateLimit(1.0, allow=shared.allow)
    assert [is_let_through(limit) for _ in range(7)] == [True] * 5 + [False] * 2
    assert shared.asked == 1


def test_no_number_of_clients_takes_more_room_where_it_is_shared() -> None:
    """Whoever is forgotten is asked about once more."""
    shared = Shared(left=10**9)
    limit = RateLimit(50.0, client_of=lambda environ: environ["REMOTE_ADDR"], allow=shared.allow)
    for n in range(2 * MOST_CLIENTS):
        assert limit.problem({**ANYBODY, "REMOTE_ADDR": str(n)}) is None
    assert len(limit._granted) <= MOST_CLIENTS


def test_servers_of_one_deployment_count_together(redis_server: EmbeddedRedis) -> None:
    """A client that goes from one to the other gets no more by it."""
    flags = ("--client-rate", "0.05", "--key-prefix", "rates")
    with (
        serving(*flags, redis_url=redis_server.url) as one,
        serving(*flags, redis_url=redis_server.url) as other,
    ):
        codes = [requests.get(f"{at.url}/load", timeout=30).status_code for at in (one, other)]
    assert codes == [200, 429]
