"""An S3 for the whole run, and for each test a bucket of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.storage.s3_server import FlakyProxy, S3Server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A server of moto; shared, so each test works in its own bucket."""
    with S3Server() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """The name of an empty bucket."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3_server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def flaky_s3(s3_server: S3Server) -> Iterator[FlakyProxy]:
    """A way to `s3_server` on which half of all requests fail."""
    with FlakyProxy(s3_server.port, share=0.5) as proxy:
        yield proxy
