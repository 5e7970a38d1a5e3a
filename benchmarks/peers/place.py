"""Where the benchmark's server is, as it told this process."""

from __future__ import annotations

import os

URL = os.environ["BENCH_REDIS_URL"]
RESULT_URL = os.environ["BENCH_RESULT_URL"]
