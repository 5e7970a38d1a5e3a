"""What the tests of clusters have in common; each file starts its own, `started`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.several.cluster import Cluster


@pytest.fixture
def nodes(started: Cluster) -> Iterator[Cluster]:
    """All of them empty; fails the test if it leaves a key without a TTL."""
    yield started
    leaked = started.keys_without_ttl()
    started.flush()
    assert not leaked
