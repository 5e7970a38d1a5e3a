"""`python -m benchmarks.peers.enqueue NAME COUNT`: fills a peer's queue, in its environment."""

from __future__ import annotations

import importlib
import sys

if __name__ == "__main__":
    name, count = sys.argv[1:]
    importlib.import_module(f"benchmarks.peers.{name}").enqueue(int(count))
