"""`python -m benchmarks.on_demand`: a real model that is in memory only while somebody asks for it.

MiniLM behind a worker with `--processes 0..2`: the memory of the whole worker before the first
request, while it serves, and when the process has gone; how long the first request takes, beside
the start of a worker that has its process from the beginning; and what becomes of requests that
come in the moment in which the last process goes. Takes a quarter of an hour, most of it the ten
minutes for which a model is kept that nobody asks for.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from contextlib import suppress
from pathlib import Path

import requests

from benchmarks.servers.processor_time import family, used_s
from doneyet.local.system import System

TYPE = "embedding/minilm"
MODELS = Path(__file__).parents[1] / "models.minilm.toml"
COLD_STARTS = 3
AT_ONCE = 8
MOST_S = 900.0

_numbers = itertools.count()


def main() -> None:
    """Prints what was measured."""
    starts_s = [started_s() for _ in range(COLD_STARTS)]
    print(f"a worker with one process, from its start to an answer: {told(starts_s)}", flush=True)
    colds_s = []
    for _ in range(COLD_STARTS - 1):
        with system("0..2") as one:
            colds_s.append(ask_s(one))
    with system("0..2") as one:
        before = rss_mib(one)
        colds_s.append(ask_s(one))
        print(f"the first request where no process is there: {told(colds_s)}", flush=True)
        warm_s = [ask_s(one) for _ in range(20)]
        print(f"those after it: {min(warm_s) * 1000:.0f} to {max(warm_s) * 1000:.0f} ms")
        print(
            f"memory before: {before:.0f} MiB, while it serves: {rss_mib(one):.0f} MiB", flush=True
        )
        began_s = time.monotonic()
        wait_for_processes(one, 0)
        print(f"the process goes after {time.monotonic() - began_s:.0f} s", flush=True)
        going_s = ask_at_once(one)
        print(
            f"{AT_ONCE} requests in that moment: all answered, the slowest in {max(going_s):.1f} s"
        )
        wait_for_processes(one, 0)
        used, idle_s = -used_s(worker_pid(one)), 30.0
        time.sleep(idle_s)
        used += used_s(worker_pid(one))
        share = 100 * used / idle_s
        print(f"memory afterwards: {rss_mib(one):.0f} MiB; idle: {share:.2f} % of a core")


def system(processes: int | str) -> System:
    """A system for the one type."""
    return System(
        queue_mode="distributed",
        processes=processes,
        settings={"DONEYET_MODELS": str(MODELS)},
        worker_arguments=["--types", TYPE],
    )


def started_s() -> float:
    """From the start of a worker with a process to its first answer."""
    with system(1) as one:
        assert one.worker is not None
        one.worker.stop()
        began_s = time.monotonic()
        one.start_worker()
        ask_s(one)
        return time.monotonic() - began_s


def ask_s(one: System) -> float:
    """How long a new text takes to be answered."""
    began_s = time.monotonic()
    text = f"The cat number {next(_numbers)} sat on the mat."
    while time.monotonic() < began_s + MOST_S:
        reply = requests.post(
            f"{one.url}/embed",
            json={"text": text},
            headers={"Prefer": "wait=60"},
            timeout=90,
        )
        reply.raise_for_status()
        if reply.json()["done"]:
            assert "error" not in reply.json(), reply.text
            return time.monotonic() - began_s
    raise TimeoutError("there is no answer")


def ask_at_once(one: System) -> list[float]:
    """How long each of some takes that are asked at once."""
    took_s: list[float] = []
    threads = [threading.Thread(target=lambda: took_s.append(ask_s(one))) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(took_s) < AT_ONCE:
        raise RuntimeError(f"{AT_ONCE - len(took_s)} of {AT_ONCE} requests were not answered")
    return took_s


def wait_for_processes(one: System, count: int) -> None:
    """Returns when the worker has so many."""
    end_s = time.monotonic() + MOST_S
    while len(processes(one)) != count:
        if time.monotonic() > end_s:
            raise TimeoutError(f"the worker has other than {count} processes")
        time.sleep(0.02)


def processes(one: System) -> list[int]:
    """Those that have a model."""
    found = []
    for pid in family(worker_pid(one)):
        with suppress(OSError):  # it has ended meanwhile
            if b"worker.process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def worker_pid(one: System) -> int:
    """The process of the worker itself, whose processes load models."""
    assert one.worker is not None
    return one.worker.pid


def rss_mib(one: System) -> float:
    """The resident memory of the worker and its processes."""
    kib = 0
    for pid in family(worker_pid(one)):
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return kib / 1024


def told(seconds: list[float]) -> str:
    """The median, and the ends."""
    return f"{statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"


if __name__ == "__main__":
    main()
