"""Where the server of the benchmark is, as it told this process."""

from __future__ import annotations

import os

URL = os.environ["BENCH_REDIS_URL"]
WAIT_S = 30
