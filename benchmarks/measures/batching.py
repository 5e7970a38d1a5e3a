"""MiniLM through HTTP, Redis and a worker, saturated, beside the same model in a loop.

The model (all-MiniLM-L6-v2) computes with one processor thread everywhere, so that one core is for
the model and one for HTTP, queues and the client program; on a GPU, where there is one, in larger
batches. Every contestant gets the same texts, no text twice, and batches of at most the same size.

In the loop, one process calls tokenizer and model with full batches and keeps nothing. doneyet runs
in the distributed queue mode, one HTTP server, one worker process, used like all others by
many connections with one text a request (doneyet's wait with `Prefer: wait`), each sending again
once answered. p50 and p99 are those while all connections are busy. Four connections send arrays,
too; that has no budget.

First texts of one length, where all batches are alike: the loop and doneyet in turn, with nothing
else running; then all servers in turn, idle ones staying up. Then lengths spread evenly on a
logarithmic scale: batches in the order of arrival are padded to their longest text, doneyet groups
by length. "In arrival order" is doneyet without that. The loop's batches of mixed texts are those
that a worker's batcher makes of as many texts as there are connections.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.clients.asking import Question, ask, texts_per_s, waits_ms
from benchmarks.clients.load import WrongAnswerError
from benchmarks.model.loop import Batcher, ModelLoop
from benchmarks.model.servers import (
    GROUPED,
    Server,
    label_of,
    settings_of_doneyet,
    start_doneyet,
    start_peer,
)
from benchmarks.model_peers.catalog import MODEL_PEERS
from benchmarks.model_peers.minilm import best_device, name_of
from benchmarks.report.figures import TIMES, Figure, Missing, percentile, ratios
from benchmarks.setup.environments import NotInstalledError
from doneyet.local.managed_process import PartError

WORDS = 16
FEWEST_WORDS, MOST_WORDS = 4, 200
ARRAYS_FROM = 4

LOOP, ARRAYS, ONE_BY_ONE = "in a loop", "doneyet alone, arrays", "doneyet alone, one by one"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured; at least `warm_up_s` come before `seconds`.

    Alone: doneyet beside the loop, whose difference is small, so more often and one right after
    the other. Mixed: batches take longer, and a window must hold many of them.
    """

    max_batch_size: int
    connections: int
    mixed_in_loop: int
    mixed_seconds: float
    warm_up_s: float
    seconds: float = 3.8
    rounds: int = 3
    alone_seconds: float = 4
    alone_rounds: int = 11


ON_PROCESSOR = Size(32, 96, mixed_in_loop=192, mixed_seconds=12, warm_up_s=1.4)
ON_GPU = Size(128, 512, mixed_in_loop=20_480, mixed_seconds=3.8, warm_up_s=1)
QUICK = Size(
    *(8, 16),
    mixed_in_loop=64,
    mixed_seconds=1,
    warm_up_s=0.5,
    seconds=1,
    rounds=1,
    alone_seconds=1,
    alone_rounds=1,
)


def run(bench: Bench) -> list[Figure | Missing]:
    """Rates, waits and ratios: texts of one length, then mixed ones."""
    device = best_device() if bench.device == "auto" else bench.device
    size = QUICK if bench.quick else ON_PROCESSOR if device == "cpu" else ON_GPU
    bench.say(f"computed on {name_of(device)}")
    bench.empty()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = settings_of_doneyet(bench.redis_url, folder, device, size.max_batch_size)
        loop = ModelLoop(device, size.max_batch_size)
        batcher = Batcher(settings, GROUPED)
        doneyet, arrival = start_doneyet(settings)
        stack.callback(arrival.stop)
        contest = _Contest(bench, size, loop, note=f"on {name_of(device)}")
        alone = contest.alone(doneyet)
        peers, missing = _start_peers(bench, stack, device, size)
        alike = contest.alike(doneyet, peers)
        mixed = contest.mixed(batcher, doneyet, arrival, peers)
    return [*alone, *alike, *mixed, *missing]


def _start_peers(
    bench: Bench, stack: ExitStack, device: str, size: Size
) -> tuple[list[Server], list[Figure | Missing]]:
    """Those that run here, and why the others do not."""
    servers: list[Server] = []
    missing: list[Figure | Missing] = []
    for peer in MODEL_PEERS:
        try:
            server = start_peer(peer, device, size.max_batch_size)
        except (NotInstalledError, PartError, OSError) as error:
            bench.say(f"{peer.label} is missing: {error}")
            missing.append(Missing(label_of(peer), str(error)))
        else:
            stack.callback(server.stop)
            servers.append(server)
    return servers, missing


class _Contest:
    """Measures all in turn, round by round; what is found is kept by name."""

    def __init__(self, bench: Bench, size: Size, loop: ModelLoop, note: str) -> None:
        self._bench, self._size, self._loop, self._note = bench, size, loop, note
        self._seed = 0
        self._rates: dict[str, list[float]] = {}
        self._waits: dict[str, list[list[float]]] = {}
        self._broken: dict[str, str] = {}

    def alone(self, doneyet: Server) -> list[Figure]:
        """The loop and doneyet, texts of one length."""
        size, seconds = self._size, self._size.alone_seconds
        for _ in range(size.alone_rounds):
            # Texts of their own each time, since doneyet knows those of before.
            self._found(LOOP, self._loop.per_s(self._new_texts(WORDS, WORDS), seconds))
            one_by_one = doneyet.one_by_one(self._new_texts(WORDS, WORDS))
            self._ask(ONE_BY_ONE, doneyet, one_by_one, size.connections, seconds)
            arrays = doneyet.in_arrays(self._new_texts(WORDS, WORDS), 2 * size.max_batch_size)
            self._ask(ARRAYS, doneyet, arrays, ARRAYS_FROM, seconds)
        return [
            Figure(f"MiniLM {LOOP}", self._rates[LOOP], "texts/s", note=self._note),
            Figure(ARRAYS, self._rates[ARRAYS], "texts/s"),
            Figure(ONE_BY_ONE, self._rates[ONE_BY_ONE], "texts/s"),
            self._ratio(ARRAYS, LOOP),
            self._ratio(ONE_BY_ONE, LOOP, budget="batching"),
        ]

    def alike(self, doneyet: Server, peers: list[Server]) -> list[Figure | Missing]:
        """All servers, texts of one length."""
        self._rates, self._waits = {}, {}
        for _ in range(self._size.rounds):
            self._seed += 1
            self._ask_all([doneyet], peers, WORDS, WORDS, self._size.seconds)
        return [*self._served([doneyet, *peers]), *self._beside(doneyet, peers)]

    def mixed(
        self, batcher: Batcher, doneyet: Server, arrival: Server, peers: list[Server]
    ) -> list[Figure | Missing]:
        """Texts of all lengths."""
        self._rates, self._waits = {}, {}
        size, chunk = self._size, self._size.connections
        in_order, grouped = f"{LOOP}, arrival order", f"{LOOP}, grouped by length"
        for _ in range(size.rounds):
            self._seed += 1
            stock = list(islice(self._texts(FEWEST_WORDS, MOST_WORDS), size.mixed_in_loop))
            self._found(
                in_order, self._loop.per_s_in(stock, size.max_batch_size, lambda part: [part])
            )
            self._found(grouped, self._loop.per_s_in(stock, chunk, batcher))
            self._ask_all([doneyet, arrival], peers, FEWEST_WORDS, MOST_WORDS, size.mixed_seconds)
        label = "mixed: "
        return [
            *(
                Figure(f"{label}MiniLM {name}", self._rates[name], "texts/s")
                for name in (in_order, grouped)
            ),
            self._ratio(grouped, in_order, label, "grouping"),
            *self._served([doneyet, arrival, *peers], label),
            self._ratio(doneyet.name, arrival.name, label, "grouping"),
            self._ratio(doneyet.name, grouped, label),
            *self._beside(doneyet, peers, label),
        ]

    def _ask_all(
        self, ours: list[Server], peers: list[Server], fewest: int, most: int, seconds: float
    ) -> None:
        """Each in turn, one text a request; a peer that fails is left out from then on."""
        for server in (*ours, *(peer for peer in peers if peer.name not in self._broken)):
            questions = server.one_by_one(self._texts(fewest, most))
            try:
                self._ask(server.name, server, questions, self._size.connections, seconds)
            except (WrongAnswerError, PartError, OSError) as error:
                if server in ours:
                    raise
                self._bench.say(f"{server.name} fails: {error}")
                self._broken[server.name] = str(error)

    def _texts(self, fewest: int, most: int) -> Iterator[str]:
        return self._loop.texts(self._seed, fewest, most)

    def _new_texts(self, fewest: int, most: int) -> Iterator[str]:
        self._seed += 1
        return self._texts(fewest, most)

    def _ask(
        self,
        name: str,
        server: Server,
        questions: Iterator[Question],
        connections: int,
        seconds: float,
    ) -> None:
        warm_up_s = self._size.warm_up_s
        answered = ask(server.port, questions, server.expected, connections, warm_up_s, seconds)
        server.check()
        self._waits.setdefault(name, []).append(waits_ms(answered))
        self._found(name, texts_per_s(answered, connections))

    def _found(self, name: str, rate: float) -> None:
        self._rates.setdefault(name, []).append(rate)
        self._bench.say(f"{name}: {rate:,.0f} texts/s")

    def _served(self, servers: list[Server], label: str = "") -> Iterator[Figure | Missing]:
        for server in servers:
            if server.name in self._broken:
                yield Missing(label + server.name, self._broken[server.name])
                continue
            yield Figure(label + server.name, self._rates[server.name], "texts/s", note=server.how)
            for percent in (50, 99):
                found = [percentile(each, percent) for each in self._waits[server.name]]
                yield Figure(f"{label}{server.name}, p{percent}", found, "ms")

    def _beside(self, ours: Server, peers: list[Server], label: str = "") -> Iterator[Figure]:
        for peer in peers:
            if peer.name not in self._broken:
                yield self._ratio(ours.name, peer.name, label)

    def _ratio(self, ours: str, theirs: str, label: str = "", budget: str = "") -> Figure:
        times = ratios(self._rates[ours], self._rates[theirs])
        return Figure(f"{label}{ours} / {theirs}", times, TIMES, budget)
