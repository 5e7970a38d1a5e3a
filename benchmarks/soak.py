"""Mixed traffic for minutes on a real system: does anything grow?

    make soak                          # five minutes; writes docs/explanation/soak.svg
    make soak ARGS="--seconds 60"      # shorter, and only prints
    make soak ARGS="--seconds 3600"    # an hour, in which a small leak is seen

Clients poll, wait, send arrays, send what is wrong, cancel, stall and read nothing, all at once.
The memory of the server, of the worker and of Redis is sampled every second. After a warm-up, in
which caches fill, none may grow: `report/growth.py` says by how much.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import redis
import requests

from benchmarks.report.growth import growth_mib, verdict, warm_up_of
from benchmarks.report.plot import plot
from benchmarks.servers.processor_time import family
from doneyet.local.system import System

EVERY_S = 1.0  # and more often in short runs
MOST_DRAWN = 600  # of an hour's samples
PLOT = Path(__file__).parents[1] / "docs" / "explanation" / "soak.svg"
PLOT_FROM_S = 120
SETTINGS = {
    "DONEYET_RESULT_TTL_S": "15",
    "DONEYET_INPUT_TTL_S": "5",
    "DONEYET_BODY_TIMEOUT_S": "3",
    "DONEYET_LOG_LEVEL": "warning",
}
SERIES = ("HTTP server", "worker", "Redis")


class Traffic:
    """Clients in threads, until told to stop."""

    def __init__(self, url: str, port: int) -> None:
        self._url, self._port = url, port
        self._stopped = threading.Event()
        self._numbers = itertools.count(10**9)
        self.answered: Counter[str] = Counter()
        self._threads = [
            threading.Thread(target=self._run, args=(kind, pause_s), daemon=True)
            for kind, pause_s in [
                (self.poll, 0.002),
                (self.ask_and_wait, 0.002),
                (self.ask_and_wait, 0.002),
                (self.array, 0.05),
                (self.held_array, 0.1),
                (self.wrong, 0.05),
                (self.cancel, 0.02),
                (self.stall, 0.1),
                (self.read_nothing, 0.5),
            ]
        ]

    def start(self) -> None:
        """Begins all kinds of traffic."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends all of it."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(20)

    def _run(self, kind: Callable[[requests.Session], str], pause_s: float) -> None:
        with requests.Session() as session:
            while not self._stopped.wait(pause_s):
                try:
                    said = kind(session)
                except requests.RequestException as error:
                    said = type(error).__name__
                self.answered[f"{kind.__name__}: {said}"] += 1

    def _post(self, session: requests.Session, body: object, **headers: str) -> str:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
        return str(
            session.post(f"{self._url}/factorize", data, headers=headers, timeout=40).status_code
        )

    def _new(self) -> dict[str, int]:
        return {"number": next(self._numbers)}

    def poll(self, session: requests.Session) -> str:
        """One of a thousand inputs that are asked for again and again."""
        return self._post(session, {"number": random.randrange(2, 1000)})

    def ask_and_wait(self, session: requests.Session) -> str:
        """A new input, until it is done."""
        return self._post(session, self._new(), Prefer="wait=10")

    def array(self, session: requests.Session) -> str:
        """Two hundred inputs, half of them new."""
        known = [{"number": number} for number in range(2, 102)]
        return self._post(session, known + [self._new() for _ in range(100)])

    def held_array(self, session: requests.Session) -> str:
        """Five hundred new inputs, until all are done."""
        return self._post(session, [self._new() for _ in range(500)], Prefer="wait=10")

    def wrong(self, session: requests.Session) -> str:
        """What is no JSON, or no input, or a thousand times no input."""
        noise = str(next(self._numbers))
        bodies: list[object] = [
            b"{" * 1000,
            {f"f{noise}": 1},
            [{f"f{n}": noise for n in range(60)}] * 1000,
            b'{"number": 1e999}',
        ]
        return self._post(session, random.choice(bodies), X_Noise="x" * 10_000)

    def cancel(self, session: requests.Session) -> str:
        """A new input, which is cancelled at once."""
        asked = session.post(f"{self._url}/factorize", json=self._new(), timeout=40)
        if asked.status_code != 202:
            return f"asked {asked.status_code}"
        path = asked.headers["Location"]
        return str(session.delete(f"{self._url}{path}", timeout=40).status_code)

    def stall(self, session: requests.Session) -> str:
        """A body that ends halfway."""
        self._leave(b"Content-Length: 100\r\n\r\n{", 0.3)
        return "left"

    def read_nothing(self, session: requests.Session) -> str:
        """Answers of a megabyte that nobody reads."""
        body = json.dumps([{"number": number} for number in range(2, 6000)]).encode()
        self._leave(b"Content-Length: %d\r\n\r\n%b" % (len(body), body), 1.0)
        return "left"

    def _leave(self, sent: bytes, after_s: float) -> None:
        head = b"POST /factorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection,
        ):
            connection.sendall(head + sent)
            time.sleep(after_s)


def main() -> None:
    """Runs the traffic, prints what grew, and exits with 1 where it grew too much."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    seconds = parser.parse_args().seconds
    with System(queue_mode="distributed", processes=1, settings=SETTINGS) as system:
        assert system.http_server is not None
        assert system.worker is not None
        assert system.redis is not None
        parts = [system.http_server.pid, system.worker.pid]
        traffic = Traffic(system.url, system.port)
        samples: list[tuple[float, list[float]]] = []
        with redis.Redis.from_url(system.redis.url) as client:
            traffic.start()
            began_s = time.monotonic()
            while (now_s := time.monotonic() - began_s) < seconds:
                system.check()
                used_mib = int(client.info("memory")["used_memory_rss"]) / 2**20
                samples.append((now_s, [*map(resident_mib, parts), used_mib]))
                time.sleep(min(EVERY_S, seconds / 100))
            traffic.stop()
    for kind, count in sorted(traffic.answered.items()):
        print(f"{kind}: {count}")
    warm_up = warm_up_of(seconds)
    judged = samples[int(len(samples) * warm_up) :]
    times_s = [at_s for at_s, _ in judged]
    verdicts = []
    for at, name in enumerate(SERIES):
        values = [each[at] for _, each in judged]
        verdicts.append(verdict(times_s, values))
        more = f"{growth_mib(values):+.0f} MiB after the warm-up"
        print(f"{name}: {values[-1]:.0f} MiB at the end, {more}: {verdicts[-1] or 'flat'}")
    if seconds >= PLOT_FROM_S:
        drawn = samples[:: -(-len(samples) // MOST_DRAWN)]
        PLOT.write_text(plot(drawn, SERIES, "s", "MiB", warm_up=warm_up))
        print(f"wrote {PLOT.name}")
    sys.exit(any(verdicts))


def resident_mib(pid: int) -> float:
    """What a process and all that descend from it have in memory together, now; those that end
    meanwhile count for nothing."""
    pages = 0
    for each in family(pid):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    main()
