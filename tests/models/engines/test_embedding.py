"""Sentence vectors: of length 1, alike for texts of like meaning."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import torch
import transformers

from doneyet.client import Client
from doneyet.local.system import System
from tests.models.conftest import MINILM, MakeModel, answers


def cosine(one: list[float], other: list[float]) -> float:
    """How alike two vectors of length 1 are."""
    return sum(a * b for a, b in zip(one, other, strict=True))


PAIRS = [
    ("The boat left the harbour.", "A ship sailed out of port."),
    ("How do I reset my password?", "I forgot my login and need a new one."),
    ("He was very happy with the result.", "The outcome delighted him."),
]


def test_paraphrases_are_closer_than_unrelated_texts(make_model: MakeModel) -> None:
    """Each sentence is more like its paraphrase than like any sentence of another pair."""
    model = make_model("embedding", MINILM)
    told = answers(model, *({"text": text} for pair in PAIRS for text in pair))
    vectors = [answer.vector for answer in told]
    assert {len(vector) for vector in vectors} == {384}
    for at, vector in enumerate(vectors):
        likeness = [cosine(vector, other) for other in vectors]
        assert likeness[at] == pytest.approx(1, abs=1e-5)
        partner = at ^ 1
        others = [each for place, each in enumerate(likeness) if place not in (at, partner)]
        assert likeness[partner] > max(others) + 0.1


def test_the_vector_is_the_mean_of_what_the_model_computes(
    make_model: MakeModel, client: Client, models: Any
) -> None:
    """Over all tokens, padding left out, then made 1 long; computed here by the library alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(models / "encoder")
    network = transformers.AutoModel.from_pretrained(models / "encoder").eval()
    text = "the cat sat on the mat"
    with torch.inference_mode():
        hidden = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    expected = torch.nn.functional.normalize(hidden.mean(dim=0), dim=0).tolist()
    answer = client.run("embed", text=text)
    assert answer["vector"] == pytest.approx(expected, abs=1e-5)
    assert answer["tokens"] == 8
    together = answers(make_model("embedding", "encoder"), {"text": text}, {"text": "fish " * 40})
    assert together[0].vector == pytest.approx(expected, abs=1e-5)


def test_what_is_cut_is_said(make_model: MakeModel) -> None:
    """By the option, or where the model ends; the vector is that of the beginning."""
    model = make_model("embedding", "encoder", max_tokens=10)
    fits, long = answers(model, {"text": "cat " * 8}, {"text": "cat " * 8 + "fish " * 50})
    assert (fits.tokens, fits.truncated) == (10, False)
    assert (long.tokens, long.truncated) == (10, True)
    assert long.vector == pytest.approx(fits.vector, abs=1e-5)
    (all_that_fits,) = answers(make_model("embedding", "encoder"), {"text": "cat " * 999})
    assert (all_that_fits.tokens, all_that_fits.truncated) == (64, True)


def test_unusual_texts_have_vectors(make_model: MakeModel) -> None:
    """Signs that the model does not know, no words at all, any script."""
    texts = ["   ", "\x00", "🙂🙃", "日本語", "é" * 300, "[CLS] [PAD] [SEP]"]
    told = answers(make_model("embedding", "encoder"), *({"text": text} for text in texts))
    for answer in told:
        assert cosine(answer.vector, answer.vector) == pytest.approx(1, abs=1e-4)


def test_an_empty_text_is_refused(system: System) -> None:
    """It has no meaning that a vector could stand for."""
    reply = requests.post(system.url + "/embed", json={"text": ""}, timeout=10)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["pointer"] == "/text"
