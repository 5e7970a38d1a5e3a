"""Where the model is to run and how large a batch may be, as the benchmark says."""

import os

DEVICE = os.environ.get("BENCH_DEVICE", "cpu")
MAX_BATCH_SIZE = int(os.environ.get("BENCH_MAX_BATCH_SIZE", "32"))
