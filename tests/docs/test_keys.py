"""docs/reference/redis-keys.md lists the keys that there are, with the TTL that they have."""

from __future__ import annotations

import re

import pytest
import redis
import requests

from doneyet.local.system import System
from tests.docs.tables import ROOT

PLACES = {
    "<type>": "[a-z/-]+",
    "<version>": "[0-9a-f]{8}",
    "<id>": "[0-9a-f]{40}",
    "<owner>": r"[\w.-]+",
    "<name>": r"\S+",
}
RQS_OWN = re.compile(r"rq:(executions?|clean_registries):")
"""What RQ's worker writes for itself, as the document says below its table."""


@pytest.mark.parametrize("queue_mode", ["random", "distributed", "ordered", "rq"])
def test_every_key_of_a_system_at_work_is_listed(queue_mode: str, redis_url: str) -> None:
    """Whatever stands in Redis has a row, and lives for ever only where the row says so."""
    with System(queue_mode=queue_mode, processes=1, redis_url=redis_url) as system:
        _ask(system.url, [{"number": number} for number in range(2, 20)], wait_s=10)
        _ask(system.url, [{"number": 10**40 + number} for number in range(300)], wait_s=0)
        found = _keys(redis_url)
    assert any("result" in key for key in found)
    rows = _rows()
    for key, has_ttl in found.items():
        fitting = [ttl for pattern, ttl in rows if pattern.fullmatch(key)]
        assert fitting or RQS_OWN.match(key), f"{key} is in no table"
        # RQ itself takes the TTL of a running job away, as the document says.
        assert has_ttl or "no" in fitting or key.startswith("rq:job:"), f"{key} never expires"


def _ask(url: str, inputs: list[dict[str, int]], wait_s: int) -> None:
    headers = {"Prefer": f"wait={wait_s}"}
    reply = requests.post(f"{url}/factorize", json=inputs, headers=headers, timeout=30)
    assert reply.status_code == 200, reply.text


def _keys(url: str) -> dict[str, bool]:
    """Every key of both databases, and whether it has a TTL."""
    found = {}
    for database in (0, 1):
        with redis.Redis.from_url(url, single_connection_client=True) as client:
            client.select(database)
            for key in client.scan_iter(count=1000):
                ttl_s = client.ttl(key)
                if ttl_s != -2:  # gone meanwhile
                    found[key.decode()] = ttl_s >= 0
    return found


def _rows() -> list[tuple[re.Pattern[str], str]]:
    """A pattern for each key in the tables, and what the column `TTL` says, if there is one."""
    text = (ROOT / "docs" / "reference" / "redis-keys.md").read_text()
    rows = []
    for shown, ttl in re.findall(r"^\| `([^`]+)` \| [^|]*(?:\| ([^|]*) )?\|$", text, re.MULTILINE):
        pattern = re.escape(shown)
        for place, what in PLACES.items():
            pattern = pattern.replace(re.escape(place), what)
        rows.append((re.compile(pattern), ttl))
    return rows
