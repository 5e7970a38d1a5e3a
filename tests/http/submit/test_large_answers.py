"""Answers of megabytes: each arrives, few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests

from doneyet.task_types import load_registry
from doneyet.task_types.answer import MOST_ANSWER_BYTES
from http_server.serving.large_answers import LargeAnswers
from task_manager import open_task_manager
from task_manager.errors import UnavailableError
from task_manager.interface import TaskManager
from task_manager.values import Result, State
from tests.helpers import wait_until
from tests.http.conftest import System

BEGIN, END = b'{"text":"large","upper":"', b'"}'


@pytest.fixture
def manager(idle_system: System) -> Iterator[TaskManager]:
    """What finishes tasks as a worker does."""
    types = load_registry(idle_system.settings).types
    manager = open_task_manager(idle_system.settings, types)
    manager.renew({"test": list(types)}, lease_s=60)
    yield manager
    manager.close()


def test_the_largest_answer_arrives(idle_system: System, manager: TaskManager) -> None:
    """Beyond what all large answers together may take."""
    url = f"{idle_system.url}/upper"
    requests.post(url, json={"text": "large"}, timeout=10)
    (claim,) = manager.claim("test", ["upper"], limit=1, wait_s=5)
    text = b"X" * (MOST_ANSWER_BYTES - len(BEGIN + END))
    result = Result(claim.id, "upper", State.DONE, BEGIN + text + END, 60)

    # As workers and clients do: on a busy machine Redis may not copy it within its time.
    def store() -> bool:
        with suppress(UnavailableError):
            manager.finish("test", [result])
            return True
        return False

    def fetch() -> Any:
        reply = requests.post(url, json={"text": "large"}, timeout=60)
        assert reply.status_code in (200, 503), reply.text[:500]
        return reply.json() if reply.ok else None

    wait_until(store, description="it is stored")
    assert len(wait_until(fetch, description="it is sent")["upper"]) == len(text)


def test_one_is_always_sent() -> None:
    """Another one has to wait until it was read."""
    room = LargeAnswers(most_bytes=10)
    first = room.pieces(b"x" * 20)
    assert first is not None
    assert room.pieces(b"x") is None
    assert b"".join(first) == b"x" * 20
    first.close()  # type: ignore[attr-defined]
    assert room.bytes == 0
    assert room.pieces(b"x" * 9) is not None
    assert room.pieces(b"x" * 2) is None
