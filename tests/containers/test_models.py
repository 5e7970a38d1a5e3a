"""One container per model, as docker-compose.models.yml starts them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
import yaml

from doneyet.settings import Settings
from doneyet.task_types.registry import load_registry
from tests.containers.compose import ROOT, Compose, composed, docker
from tests.containers.test_images import fails
from tests.helpers import wait_until

FILE = ROOT / "docker-compose.models.yml"
HEAVY = {"torch", "transformers", "tokenizers", "sentence-transformers", "numpy", "scikit-learn"}


def test_http_server_needs_no_model_library() -> None:
    """Nor does anything that its requirements pull in."""
    pinned = (ROOT / "requirements" / "http.txt").read_text().splitlines()
    names = {re.split(r"[=\s\[]", line)[0] for line in pinned if line and not line.startswith("#")}
    assert "flask" in names
    assert not names & HEAVY


def test_every_model_has_a_service() -> None:
    """Each task type of the table that the file serves by default is some worker's, once."""
    services = yaml.safe_load(FILE.read_text())["services"]
    served: list[str] = []
    for service in services.values():
        if match := re.search(r"--types (\S+)", service.get("command", "")):
            served += match[1].split(",")
    settings = Settings(
        models=str(ROOT / "models.minilm.toml"), storage="/data", tasks="factorization,regression"
    )
    assert sorted(served) == sorted(load_registry(settings).types)


def ask(compose: Compose, path: str, body: Any) -> Any:
    """The answer to one request, asked again until it is done."""

    def answer() -> Any:
        reply = requests.post(
            f"{compose.url}{path}", json=body, headers={"Prefer": "wait=20"}, timeout=60
        )
        assert reply.ok, reply.text
        return reply.json() if reply.json()["done"] else None

    return wait_until(answer, description=f"{path} answers", timeout_s=120)


@pytest.mark.containers
@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("engine")
@pytest.mark.xdist_group("containers")
def test_models_answer_from_containers_of_their_own() -> None:
    """A model serves from its container; the HTTP server's has no torch; a job writes its file."""
    services = ["redis", "http-server", "embedding", "summarization", "worker"]
    with composed(FILE) as compose:
        compose.run("up", "--detach", "--build", *services)
        wait_until(
            lambda: (compose.get("/load/embedding/minilm") or {}).get("workers") == 1,
            description="the embedding model serves",
            timeout_s=180,
        )
        texts = ["The boat left the harbour.", "A ship sailed out of port.", "She baked a cake."]
        vectors = [ask(compose, "/embed", {"text": text})["vector"] for text in texts]
        boat, ship, cake = vectors
        assert dot(boat, ship) > 0.4 > dot(boat, cake)

        server = docker("inspect", "-f", "{{.Image}}", *compose.ids("http-server")).strip()
        assert fails(server, "python", "-c", "import torch")
        assert compose.get("/load/question-answering/minilm")["workers"] == 0

        compose.run("exec", "-T", "worker", "python", "-c", WRITE)
        job = {"input_filename": "chapters.json", "output_filename": "summaries.json"}
        answer = ask(compose, "/summarize_batch", job)
        assert (answer["items"], answer["succeeded"]) == (2, 2)
        written = compose.run("exec", "-T", "worker", "cat", "/data/summaries.json")
        assert "Ships" in written

        wait_until(
            lambda: compose.health() == {"healthy"}, description="all are healthy", timeout_s=90
        )


WRITE = """
import json, pathlib
texts = ["The harbour is full of ships. Ships bring tea. The sun shines.", "Bread is baked here."]
pathlib.Path("/data/chapters.json").write_text(json.dumps(texts))
"""


def dot(one: list[float], other: list[float]) -> float:
    """How alike two vectors of length 1 are."""
    return sum(a * b for a, b in zip(one, other, strict=True))
