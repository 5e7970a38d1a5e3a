"""The seed's worker as its document describes it: takes a random input, stores its result.

It looks again after a pause where there is none. It runs beside seed_server, and computes nothing.
"""

from __future__ import annotations

import json
import os
import time

import redis

RESULT_TTL_S = 3600
PAUSE_S = 0.01

inputs = redis.Redis.from_url(os.environ["BENCH_SEED_INPUT_URL"])
outputs = redis.Redis.from_url(os.environ["BENCH_SEED_OUTPUT_URL"])


def main() -> None:
    """Works until it is ended."""
    while True:
        if (key := inputs.randomkey()) is None:
            time.sleep(PAUSE_S)
            continue
        _, asked = json.loads(key)
        number = asked["number"]
        output = {"factorization": [[number, 1]], "factorization_str": str(number)}
        outputs.set(key, json.dumps(output), ex=RESULT_TTL_S)
        inputs.delete(key)


if __name__ == "__main__":
    main()
