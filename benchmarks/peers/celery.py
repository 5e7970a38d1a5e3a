"""Celery's application."""

from __future__ import annotations

from celery import Celery

from benchmarks.peers.place import RESULT_URL, URL

app = Celery("noop", broker=URL, backend=RESULT_URL)
app.conf.update(
    task_acks_late=True,  # a task whose worker dies runs again
    worker_prefetch_multiplier=64,
    broker_connection_retry_on_startup=True,
)


@app.task(name="noop")
def noop(number: int) -> int:
    """The number itself."""
    return number


def enqueue(count: int) -> None:
    """`count` tasks over one connection."""
    with app.producer_or_acquire() as producer:
        for number in range(count):
            noop.apply_async((number,), producer=producer)
