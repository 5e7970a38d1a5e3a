"""The seed's HTTP server as its document describes it: Flask on waitress, a database of results and
one of inputs, polled until the result is there.

It runs in an environment of its own, with hiredis, which makes it faster than without.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import redis
from flask import Flask, Response, jsonify, request
from waitress import serve  # type: ignore[import-untyped]

TYPE = "factorization"
INPUT_TTL_S = 60

app = Flask(__name__)
inputs = redis.Redis.from_url(os.environ["BENCH_SEED_INPUT_URL"])
outputs = redis.Redis.from_url(os.environ["BENCH_SEED_OUTPUT_URL"])


@app.get("/ready")
def ready() -> str:
    """Says that it serves."""
    return "ready"


@app.post("/factorize")
def factorize() -> Response:
    """The cached result, or null and a place among the inputs."""
    number = request.get_json()["number"]
    key = json.dumps([TYPE, {"number": number}])
    found = outputs.get(key)
    output: dict[str, Any] = {"factorization": None, "factorization_str": None}
    if found is not None:
        output = json.loads(found)
    else:
        inputs.set(key, "", ex=INPUT_TTL_S)
    load = inputs.dbsize()
    return jsonify(done=found is not None, load=load, number=number, **output)


if __name__ == "__main__":
    serve(app, host="127.0.0.1", port=int(sys.argv[1]))
