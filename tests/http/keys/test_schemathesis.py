"""Requests generated from the OpenAPI document of a server with keys, over real HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.task_types import load_registry
from http_server.openapi.document import document
from tests.http.conftest import SETTINGS
from tests.http.keys.conftest import line
from tests.http.servers import serving

SECRET = "dyk_of-the-operators"
TASKS = "factorization,tests.http.task_types"
KEYED = dataclasses.replace(SETTINGS, tasks=TASKS, keys="keys.txt")


@pytest.fixture(scope="module")
def url(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that has one key, for everything."""
    path: Path = tmp_path_factory.mktemp("keys") / "keys.txt"
    path.write_text(line("boss", "operate", SECRET))
    redis_url = redis_server.url.replace("/0", "/6").replace("db=0", "db=6")
    flags = ("--input-db", "7", "--key-prefix", "http-keys", "--tasks", TASKS)
    # Nobody works for it, so a request that is held would be held for as long as it may.
    more = ("--max-wait-s", "0", "--keys", str(path))
    with serving(*flags, *more, redis_url=redis_url) as server:
        yield server.url


schema = schemathesis.openapi.from_dict(document(load_registry(KEYED), KEYED)).exclude(
    path="/sleep"
)


@schema.parametrize()
@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_with_a_key_and_without(case: schemathesis.Case[Any], url: str) -> None:
    """Statuses and bodies are as described; without the key, or with another one, it is a 401."""
    case.call_and_validate(
        checks=[status_code_conformance, response_schema_conformance, ignored_auth],
        base_url=url,
        headers={"Authorization": f"Bearer {SECRET}"},
        timeout=30,
    )
    refused = case.call(base_url=url, headers={"Authorization": "Bearer wrong"}, timeout=30)
    if refused.status_code != 401:
        assert case.operation.definition.raw.get("security") == []
