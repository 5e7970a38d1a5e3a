"""`python -m benchmarks.shares`: draws docs/explanation/fairness.svg.

Ten clients with 1,000 waiting tasks each and weights of 1, 2 and 4, claimed 40 at a time, as a
worker does: how many of each had been claimed after how many in all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import bench
from benchmarks.queues.stock import manager_for, numbered
from benchmarks.report.plot import plot
from benchmarks.servers.start import settings_for
from task_manager.values import Asker, Result, State

PLOT = Path(__file__).parents[1] / "docs" / "explanation" / "fairness.svg"
WEIGHTS = (1, 1, 1, 1, 2, 2, 2, 4, 4, 4)
TASKS, CLAIMS = 1000, 40
TYPE, OWNER = "noop", "shares"


def main() -> None:
    """Claims all of them."""
    claimed: Counter[str] = Counter()
    samples = []
    with bench() as shared:
        settings = settings_for(shared.redis_url, "distributed")
        with manager_for(settings) as (manager, types):
            manager.renew({OWNER: [TYPE]}, lease_s=600)
            clients = {}
            for place, weight in enumerate(WEIGHTS):
                tasks = numbered(types[TYPE], range(place * TASKS, (place + 1) * TASKS))
                asker = Asker(f"client {place}", weight=weight)
                manager.submit([replace(task, asker=asker) for task in tasks])
                clients.update(dict.fromkeys([task.id for task in tasks], f"weight {weight}"))
            while claims := manager.claim(OWNER, [TYPE], CLAIMS):
                claimed.update(clients[claim.id] for claim in claims)
                done = [Result(claim.id, TYPE, State.DONE, b"{}", 60) for claim in claims]
                manager.finish(OWNER, done)
                names = sorted({*clients.values()})
                shares = [claimed[name] / list(clients.values()).count(name) for name in names]
                samples.append((float(claimed.total()), [100 * share for share in shares]))
    PLOT.write_text(plot(samples, names, "tasks claimed", "% done"))
    print(f"wrote {PLOT.name}")


if __name__ == "__main__":
    main()
