"""The model servers that are compared, each configured as its documentation recommends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _one(text: str) -> Any:
    return {"text": text}


def _list_of_one(text: str) -> Any:
    return {"texts": [text]}


@dataclass(frozen=True, slots=True)
class ModelPeer:
    """One model server: how it is started (a module and its arguments), and how it is asked.

    `package` is what its version is pinned under.
    """

    package: str
    label: str
    how: str
    program: tuple[str, ...]
    ready: str
    body: Callable[[str], Any] = _one
    expected: bytes = b'"vector"'


MODEL_PEERS = (
    ModelPeer(
        package="starlette",
        label="the seed's starlette server",
        how="uvicorn, one loop, 1 ms wait",
        program=(
            *("uvicorn", "benchmarks.model_peers.starlette:app", "--port", "{port}"),
            # Its connections would be closed while a long batch computes.
            *("--log-level", "error", "--no-access-log", "--timeout-keep-alive", "60"),
        ),
        ready="/ready",
    ),
    ModelPeer(
        package="litserve",
        label="LitServe",
        how="1 worker, batch_timeout 10 ms",
        program=("benchmarks.model_peers.litserve", "{port}"),
        ready="/health",
    ),
    ModelPeer(
        package="bentoml",
        label="BentoML",
        how="1 worker, adaptive batching",
        program=(
            *("bentoml", "serve", "benchmarks.model_peers.bentoml:Embedding"),
            *("--host", "127.0.0.1", "--port", "{port}"),
        ),
        ready="/readyz",
        body=_list_of_one,
        expected=b"[[",
    ),
    ModelPeer(
        package="mosec",
        label="Mosec",
        how="1 worker, max_wait_time 10 ms",
        program=(
            *("benchmarks.model_peers.mosec", "--port", "{port}", "--address", "127.0.0.1"),
            *("--timeout", "60000", "--log-level", "error"),
        ),
        ready="/metrics",
    ),
)

ENVIRONMENT = "models"
"""All of them get along in one environment, so that torch is installed once."""
