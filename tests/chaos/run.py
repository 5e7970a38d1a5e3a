"""One run of chaos: clients ask, things break one after the other, and what came of it."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import redis
import requests

from tests.chaos.askers import Askers
from tests.chaos.breakages import BREAKAGES
from tests.chaos.installation import SECRET, Installation
from tests.helpers import wait_until
from tests.http.webhooks.receiver import receiving

PAUSE_S = 1.0
"""Between two breakages: not enough for everything to be well again."""
SETTLE_S = 60.0
"""In which nothing waits or runs any more, once nobody asks."""


@dataclass(slots=True)
class Outcome:
    """What a run showed: `wrong` is empty where every promise was kept."""

    broken: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def run(queue_mode: str, seconds: float, seed: int, folder: Path, *, tell: bool = False) -> Outcome:
    """Breaks things for so long; `seed` decides which, and who asks whom."""
    chance, outcome = random.Random(seed), Outcome()
    with Installation(queue_mode, folder) as installation, receiving() as receiver:
        askers = Askers(installation.urls, installation.storage, receiver, seed)
        ends_s = time.monotonic() + seconds
        names = list(BREAKAGES)
        while time.monotonic() < ends_s:
            if not names:  # each has its turn before any comes again
                names = list(BREAKAGES)
            name = names.pop(chance.randrange(len(names)))
            if tell:
                print(f"{max(0, ends_s - time.monotonic()):4.0f} s left: {name}", flush=True)
            BREAKAGES[name](installation, chance)
            outcome.broken[name] += 1
            time.sleep(PAUSE_S)
        askers.finish()
        outcome.answered, outcome.wrong = askers.answered, askers.wrong
        outcome.wrong += left_behind(installation)
        for at in range(len(installation.systems)):
            installation.keep_log(at)
    if SECRET in installation.logs:
        outcome.wrong.append("a log tells the key")
    return outcome


def left_behind(installation: Installation) -> list[str]:
    """What is still there that should not be, once all have their answers."""
    found = []
    url = installation.urls[0]

    def is_idle() -> bool:
        reply = requests.get(f"{url}/load", headers={"X-API-Key": SECRET}, timeout=10)
        return bool(reply.ok and reply.json()["load"] == 0)

    try:
        wait_until(is_idle, description="nothing waits or runs any more", timeout_s=SETTLE_S)
    except (AssertionError, requests.RequestException) as error:
        found.append(str(error))
    with redis.Redis.from_url(installation.redis.url) as server:
        keys = [key.decode() for key in server.scan_iter(count=1000)]
        found += [f"{key} never expires" for key in keys if server.ttl(key) == -1]
        found += [f"{key} tells the key" for key in keys if SECRET in key]
        for key in keys:
            if server.type(key) == b"string" and SECRET.encode() in (server.get(key) or b""):
                found.append(f"{key} tells the key")
    return found
