"""The `Prefer` and `Cache-Control` headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_server.wire.prefer import no_cache, wait_s


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=20", 20),
        ("wait=0", 0),
        ("Wait = 7", 7),
        ('wait="3"', 3),
        ("respond-async, wait=10", 10),
        ('foo="a, wait=1", wait=9; x=y', 9),
        ("wait=5, wait=6", 5),
        ("wait=99999999999999999999", 30),
        ("wait=60", 30),
        ("wait", None),
        ("wait=", None),
        ("wait=-1", None),
        ("wait=soon", None),
        ("wait=٣", None),
        ("waiting=3", None),
        ("", None),
        (None, None),
    ],
)
def test_wait(header: str | None, seconds: float | None) -> None:
    """`wait` is found in the list, capped at 30 here, and skipped where it is junk."""
    assert wait_s(header, 30) == seconds


@given(st.text(max_size=3000))
def test_any_header_is_read(header: str) -> None:
    """No header raises."""
    seconds = wait_s(header, 30)
    assert seconds is None or 0 <= seconds <= 30
    assert no_cache(header) in (True, False)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("no-cache", True),
        ("max-age=0, No-Cache", True),
        ("no-cache-please", False),
        ('private="no-cache"', False),
        ("no-store", False),
        (None, False),
    ],
)
def test_no_cache(header: str | None, told: bool) -> None:
    """`no-cache` is one item of the list."""
    assert no_cache(header) is told
