"""Flask with RQ: a view enqueues a job and waits for its result.

RQ's own blocking wait, so nothing is polled. gunicorn gives every waiting request a thread.
"""

from __future__ import annotations

from flask import Flask, Response, jsonify, request
from redis import Redis
from rq import Queue

from benchmarks.peers.place import URL
from benchmarks.peers.rq import noop

WAIT_S = 30

app = Flask(__name__)
queue = Queue(connection=Redis.from_url(URL))


@app.get("/ready")
def ready() -> str:
    """Says that it serves."""
    return "ready"


@app.post("/noop")
def submit() -> Response:
    """The result of a new job."""
    job = queue.enqueue(noop, request.get_json()["number"], result_ttl=3600)
    result = job.latest_result(timeout=WAIT_S)
    return jsonify(done=result is not None, answer=result.return_value if result else None)
