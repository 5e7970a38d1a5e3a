"""Memory of large bodies is given back, that of the last ones too."""

from __future__ import annotations

import io

import pytest

from doneyet.settings import Settings
from http_server.wire.body_reader import BodyReader

MiB = 1 << 20


def test_the_last_bodies_are_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few that come while memory is given back are in use; theirs is given back later."""
    given: list[float] = []
    now_s = 0.0
    monkeypatch.setattr("http_server.wire.body_reader.give_back", lambda: given.append(now_s))
    bodies = BodyReader(Settings(redis_url="redis://localhost:6379/0"))

    def read(count: int) -> None:
        for _ in range(count):
            body = io.BytesIO(b"x" * MiB)
            assert len(bodies.read({"wsgi.input": body, "CONTENT_LENGTH": str(MiB)})) == MiB

    for now_s in range(10, 30):
        if now_s == 11:
            read(20)
        if now_s == 12:
            read(3)
        bodies.give_back_once(now_s)
    assert given == [11, 14, 17]
    read(3)
    for now_s in range(30, 40):
        bodies.give_back_once(now_s)
    assert given == [11, 14, 17], "a few large ones alone are not worth it"
