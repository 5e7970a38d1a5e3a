"""MiniLM served by Mosec, with its batching; its command line has port and time limit."""

from __future__ import annotations

from typing import Any

from mosec import Server, Worker

from benchmarks.model_peers.minilm import MiniLM
from benchmarks.model_peers.place import DEVICE, MAX_BATCH_SIZE

WAIT_MS = 10


class Embedding(Worker):
    """One process that computes."""

    def __init__(self) -> None:
        super().__init__()
        self.model = MiniLM(DEVICE)

    def forward(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers to a batch of requests."""
        vectors = self.model.vectors([each["text"] for each in data])
        return [{"vector": vector} for vector in vectors]


if __name__ == "__main__":
    server = Server()
    server.append_worker(
        Embedding, num=1, max_batch_size=MAX_BATCH_SIZE, max_wait_time=WAIT_MS, route="/embed"
    )
    server.run()
