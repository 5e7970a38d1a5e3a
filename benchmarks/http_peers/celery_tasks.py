"""The application of FastAPI and Celery, set up as the one that is drained."""

from __future__ import annotations

from celery import Celery

from benchmarks.http_peers.place import URL

app = Celery("noop", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,  # a task whose worker dies runs again
    worker_prefetch_multiplier=64,
    broker_connection_retry_on_startup=True,
)


@app.task(name="noop")
def noop(number: int) -> int:
    """The number itself."""
    return number
