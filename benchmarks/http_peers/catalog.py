"""The peers, each as one server process and one worker process for many short tasks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from benchmarks.clients.closed_loop import ANSWER, Ask, Client, Send, held, is_done, polled, posting
from benchmarks.clients.load import WrongAnswerError

POLL_PAUSE_MS = 10
"""Between polls where no request waits: short, so that the pauses do not set the rate."""
SEED_PATH = "/factorize"


@dataclass(frozen=True, slots=True)
class HttpPeer:
    """One peer: its programs in the order in which they are started, the server first.

    `environment` is what its packages are pinned under, `packages` those whose versions are shown.
    """

    environment: str
    packages: tuple[str, ...]
    label: str
    how: str
    programs: tuple[tuple[str, ...], ...]
    ask: Ask
    ready: str = "/ready"
    budget: str = ""


def _bentoml_task(number: int) -> Client:
    """Submits, asks for the status until it is completed, and for the result."""
    answer = yield Send(_SUBMIT(number))
    task_id = _body(answer)["task_id"]
    while (
        _body((yield Send(_get("status", task_id), POLL_PAUSE_MS / 1000)))["status"] != "completed"
    ):
        pass
    answer = yield Send(_get("get", task_id))
    if _body(answer) != number:
        raise WrongAnswerError(f"not the answer to {number}: {answer[:500]!r}")


_SUBMIT = posting("/noop/submit")


def _get(verb: str, task_id: str) -> bytes:
    return b"GET /noop/%b?task_id=%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (
        verb.encode(),
        task_id.encode(),
    )


def _body(answer: bytes) -> Any:
    is_done(answer)  # raises where it is an error
    return json.loads(answer.partition(b"\r\n\r\n")[2])


SEED = HttpPeer(
    environment="seed",
    packages=("flask", "waitress"),
    label="the seed's example",
    how=f"Flask on waitress, polled every {POLL_PAUSE_MS} ms",
    programs=(
        ("benchmarks.servers.seed_server", "{port}"),
        ("benchmarks.servers.seed_worker",),
    ),
    ask=polled(posting(SEED_PATH), POLL_PAUSE_MS / 1000),
)

HTTP_PEERS = (
    SEED,
    HttpPeer(
        environment="flask-rq",
        packages=("flask", "rq"),
        label="Flask + RQ",
        how="gunicorn, 64 threads that wait for the result; SimpleWorker, no fork for each job",
        programs=(
            (
                *("gunicorn", "benchmarks.http_peers.flask_rq:app", "--bind", "127.0.0.1:{port}"),
                *("--workers", "1", "--worker-class", "gthread", "--threads", "64"),
                *("--log-level", "error"),
            ),
            (
                *("rq.cli", "worker", "--url", "{url}", "--quiet"),
                *("--worker-class", "rq.worker.SimpleWorker", "default"),
            ),
        ),
        ask=held(posting("/noop"), ANSWER),
        budget="end to end by peers",
    ),
    HttpPeer(
        environment="fastapi-celery",
        packages=("fastapi", "celery"),
        label="FastAPI + Celery",
        how="uvicorn, which looks for the result every 10 ms; prefork 1, acks_late, prefetch 64",
        programs=(
            (
                *("uvicorn", "benchmarks.http_peers.fastapi_celery:app", "--port", "{port}"),
                *("--log-level", "error", "--no-access-log"),
            ),
            (
                *("celery", "-A", "benchmarks.peers.celery", "worker"),
                *("--loglevel", "ERROR", "--pool", "prefork", "--concurrency", "1", "-O", "fair"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ),
        ),
        ask=held(posting("/noop"), ANSWER),
        budget="end to end by peers",
    ),
    HttpPeer(
        environment="bentoml",
        packages=("bentoml",),
        label="BentoML's tasks",
        how=f"1 worker; status polled every {POLL_PAUSE_MS} ms, then the result",
        programs=(
            (
                *("bentoml", "serve", "benchmarks.http_peers.bentoml_tasks:Noop", "--quiet"),
                *("--host", "127.0.0.1", "--port", "{port}"),
            ),
        ),
        ask=_bentoml_task,
        ready="/readyz",
    ),
)
