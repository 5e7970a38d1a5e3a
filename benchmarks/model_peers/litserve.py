"""MiniLM served by LitServe, with its batching.

LitServe reads annotations as they are when the class is defined, so none may be put off here.
"""

import sys
from typing import Any

import litserve

from benchmarks.model_peers.minilm import MiniLM
from benchmarks.model_peers.place import DEVICE, MAX_BATCH_SIZE


class Embedding(litserve.LitAPI):
    """Its life as LitServe's documentation draws it."""

    def setup(self, device: str) -> None:
        """Loads the model once per worker."""
        self.model = MiniLM(DEVICE)

    def decode_request(self, request: dict[str, Any]) -> str:
        """A request's text."""
        return str(request["text"])

    def batch(self, inputs: list[str]) -> list[str]:
        """Texts are batched as they are."""
        return inputs

    def predict(self, batch: list[str]) -> list[list[float]]:
        """Their vectors."""
        return self.model.vectors(batch)

    def unbatch(self, output: list[list[float]]) -> list[list[float]]:
        """One vector each."""
        return output

    def encode_response(self, output: list[float]) -> dict[str, Any]:
        """What is answered."""
        return {"vector": output}


if __name__ == "__main__":
    server = litserve.LitServer(
        Embedding(max_batch_size=MAX_BATCH_SIZE, batch_timeout=0.01, api_path="/embed"),
        accelerator="cpu" if DEVICE == "cpu" else "cuda",
        devices=1,
        workers_per_device=1,
        timeout=60,
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="error",
        access_log=False,
        generate_client_file=False,
    )
