"""What a deployment takes of its Redis: for a task, and for nothing.

50,000 no-op tasks are submitted, claimed and finished a thousand at a time. Processor time is that
of Redis for all three (`INFO cpu`); a stored result's overhead is what Redis has used more
afterwards, less the bodies. Connections are those that `CLIENT LIST`
has, and commands those that `INFO commandstats` counts in twenty seconds, without those that
scripts call: of one HTTP server, then of one worker with one, and with five, worker processes. The
difference between five and one is four worker processes. A server that is asked has more
connections: one for each request that waits for Redis at the same time.
"""

from __future__ import annotations

import time

from benchmarks.bench import Bench
from benchmarks.queues.stock import CHUNK, manager_for, numbered
from benchmarks.report.figures import Figure, Missing
from benchmarks.servers.start import settings_for, start_http_server, start_worker, wait_for
from doneyet.local.managed_process import free_port
from task_manager.values import Result, State

RESULTS = 50_000
IDLE_S = 20.0
SETTLE_S = 6.0
"""After the start, when versions are published and scripts loaded."""
SENT = ("evalsha", "eval", "blpop", "ping")
"""What servers and workers send, all of whose other commands are called by scripts."""
TYPE, OWNER = "noop", "footprint"
BODY = b'{"done":true,"answer":123456}'


def run(bench: Bench) -> list[Figure | Missing]:
    """Bytes, connections, commands a second."""
    micros, stored = _per_task(bench)
    figures: list[Figure | Missing] = [
        Figure("Redis, from submit to result, a thousand at a time", [micros], "µs/task"),
        Figure("a stored result beyond its body", [stored], "bytes"),
    ]
    server = _seen(bench, 0)
    one = _seen(bench, 1)
    five = _seen(bench, 5)
    for name, place in (("connections", 0), ("commands/s", 1)):
        process = (five[place] - one[place]) / 4
        rows = {
            "an HTTP server": server[place],
            "a worker's supervisor": one[place] - process,
            "each of its worker processes": process,
        }
        for who, value in rows.items():
            figures.append(Figure(who, [value], name))
            bench.say(f"{who}: {value:.2f} {name}")
    bench.empty()
    return figures


def _per_task(bench: Bench) -> tuple[float, float]:
    """Microseconds and bytes of Redis."""
    bench.empty()
    with manager_for(settings_for(bench.redis_url, "distributed")) as (manager, types):
        manager.renew({OWNER: [TYPE]}, lease_s=600)

        def run(numbers: range) -> None:
            for first in range(numbers.start, numbers.stop, CHUNK):
                tasks = numbered(types[TYPE], range(first, first + CHUNK))
                manager.submit(tasks)
                claims = manager.claim(OWNER, [TYPE], CHUNK)
                done = [Result(each.id, TYPE, State.DONE, BODY, 86_400) for each in claims]
                manager.finish(OWNER, done)

        run(range(CHUNK))  # scripts, shared keys
        before_s, before = _processor_s(bench), _used(bench)
        run(range(CHUNK, CHUNK + RESULTS))
        micros = (_processor_s(bench) - before_s) / RESULTS * 1e6
        return micros, (_used(bench) - before) / RESULTS - len(BODY)


def _processor_s(bench: Bench) -> float:
    told = bench.server.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


def _used(bench: Bench) -> int:
    return int(bench.server.info("memory")["used_memory"])


def _seen(bench: Bench, processes: int) -> tuple[float, float]:
    """Connections, and commands a second, of a worker of so many processes; of a server for 0."""
    bench.empty()
    settings = settings_for(
        bench.redis_url, "distributed", port=free_port(), processes=max(1, processes)
    )
    program = start_worker(settings) if processes else start_http_server(settings)
    try:
        if processes:
            with manager_for(settings) as (manager, _):
                wait_for(lambda: manager.load([TYPE])[0].workers == processes, program, "all serve")
        time.sleep(SETTLE_S)
        before, began_s = _commands(bench), time.monotonic()
        time.sleep(IDLE_S)
        made = (_commands(bench) - before) / (time.monotonic() - began_s)
        return len(bench.server.client_list()) - 1, made
    finally:
        program.stop()


def _commands(bench: Bench) -> int:
    """Commands that programs have sent. What scripts call stands in the same statistics."""
    stats = bench.server.info("commandstats")
    return sum(int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in SENT)
