"""FastAPI with Celery: an endpoint sends a task and looks for its result every few milliseconds.

It is a coroutine, since one that blocks would hold one of 40 threads.
"""

from __future__ import annotations

import asyncio
import time

from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.celery import noop

LOOK_EVERY_S = 0.01
WAIT_S = 30

app = FastAPI()


class Number(BaseModel):
    """What is asked for."""

    number: int


class Answer(BaseModel):
    """What comes of it."""

    done: bool
    answer: int | None


@app.get("/ready")
async def ready() -> str:
    """Says that it serves."""
    return "ready"


@app.post("/noop")
async def submit(asked: Number) -> Answer:
    """The result of a new task."""
    result = noop.delay(asked.number)
    give_up_at_s = time.monotonic() + WAIT_S
    while not result.ready() and time.monotonic() < give_up_at_s:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_EVERY_S)
    done = result.ready()
    return Answer(done=done, answer=result.result if done else None)
