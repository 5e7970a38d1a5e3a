"""Memory of large bodies is given back, that of the last ones too."""

from __future__ import annotations

import io

import pytest

from doneyet.settings import Settings
from http_server.wire.body_reader import BodyReader

MiB = 1 << 20


def test_the_last_bodies_are_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests whose bodies were read are at work meanwhile; their memory is given back later."""
    given: list[float] = []
    now_s = 0.0
    monkeypatch.setattr("http_server.wire.body_reader.give_back", lambda: given.append(now_s))
    bodies = BodyReader(Settings(redis_url="redis://localhost:6379/0"))

    def read(count: int) -> None:
        for _ in range(count):
            body = io.BytesIO(b"x" * MiB)
            assert len(bodies.read({"wsgi.input": body, "CONTENT_LENGTH": str(MiB)})) == MiB

    for now_s in range(10, 60):
        if now_s == 11:
            read(20)
        if now_s == 18:
            read(3)
        bodies.give_back_once(now_s)
    assert given == list(range(11, 50, 3)), "for half a minute after the last ones"
    given.clear()
    read(3)
    for now_s in range(60, 70):
        bodies.give_back_once(now_s)
    assert not given, "a few large ones alone are not worth it"
