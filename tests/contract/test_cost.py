"""What calls cost does not grow with the input ttl, measured by what the server did."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from doneyet.settings import Settings
from task_manager import open_task_manager
from task_manager.interface import TaskManager
from tests.contract.harness import ONE, TypeLimits, task
from tests.helpers import connect

TASKS = 2000
DAY_S = 86_400
FIRST_EXPIRES_S = 60  # none while calls are counted: what has expired is not given back


@pytest.mark.parametrize("mode", ["random", "distributed", "ordered"])
def test_cost_does_not_grow_with_the_input_ttl(mode: str, redis_url: str) -> None:
    """With tasks spread over a day, no call makes more commands than with tasks spread over a
    minute, nor takes several times as long."""
    client = connect(redis_url)
    minute = costs(client, redis_url, mode, spread_s=60)
    client.flushall()
    day = costs(client, redis_url, mode, spread_s=DAY_S)
    client.close()
    for name, (commands, us) in day.items():
        assert commands <= minute[name][0] + 2, name  # the second may have changed meanwhile
        assert us <= 4 * minute[name][1] + 100, name


def costs(
    client: redis.Redis, url: str, mode: str, spread_s: int
) -> dict[str, tuple[float, float]]:
    """For each kind of call: commands made in the server, and µs that its scripts took."""
    limits = TypeLimits(max_load=10 * TASKS)
    manager = open_task_manager(Settings(redis_url=url, queue_mode=mode), {ONE: limits})
    manager.renew({"a": [ONE]}, lease_s=60)
    for n in range(TASKS):
        limits.input_ttl_s = FIRST_EXPIRES_S + spread_s * n / TASKS
        manager.submit([task(n)])
    limits.input_ttl_s = FIRST_EXPIRES_S + spread_s
    assert manager.load([ONE])[0].waiting == pytest.approx(TASKS, abs=TASKS / 10)
    found = {
        "submit": cost(client, lambda n: manager.submit([task(TASKS + n)])),
        # The same one, since moving one to another second costs more: a busy machine moves all.
        "submit again": cost(client, lambda _: manager.submit([task(TASKS)])),
        "status": cost(client, lambda n: manager.status(ONE, task(TASKS + n).id)),
        "load": cost(client, lambda _: manager.load([ONE])),
        "claim and release": cost(client, lambda _: claim_and_release(manager)),
        "cancel": cost(client, lambda n: manager.cancel(ONE, task(TASKS + n).id)),
    }
    manager.close()
    return found


def claim_and_release(manager: TaskManager) -> None:
    """Takes four tasks and gives them back."""
    claims = manager.claim("a", [ONE], limit=4)
    assert len(claims) == 4
    manager.release("a", claims)


def cost(client: redis.Redis, call: Callable[[int], object]) -> tuple[float, float]:
    """Commands, and µs of scripts, of one call on average; the quickest of a few rounds."""
    rounds = []
    call(0)  # the script is known now
    for start in (1, 11, 21):
        client.config_resetstat()
        for n in range(start, start + 10):
            call(n)
        stats = client.info("commandstats")
        commands = sum(each["calls"] for name, each in stats.items() if "config" not in name)
        rounds.append((commands / 10, stats["cmdstat_evalsha"]["usec"] / 10))
    return min(commands for commands, _ in rounds), min(us for _, us in rounds)
