"""Every kind of model, asked over HTTP: the queue, a worker and the real libraries between."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from doneyet.client import Client
from doneyet.local.system import System

PAGE = "The cat sat on the mat. Paris is the capital of France. Who likes the blue sky? " * 4


@pytest.mark.parametrize("model", ["finder", "t5"])
def test_questions(client: Client, model: str) -> None:
    """The question is repeated, the context is not."""
    answer = client.run("ask_question", question="where is the cat?", context=PAGE, model=model)
    assert answer["question"] == "where is the cat?"
    assert "context" not in answer
    assert 0 <= answer["score"] <= 1
    if model == "finder":
        assert answer["answer"] == PAGE[answer["start"] : answer["end"]] != ""


@pytest.mark.parametrize("model", ["bart", "t5", "led"])
def test_summaries(client: Client, model: str) -> None:
    """A text longer than the model reads is summarized in pieces, and the answer says so."""
    short = client.run("summarize_text", context="The cat sat.", model=model)
    long = client.run("summarize_text", context=PAGE * 2, model=model)
    assert short["pieces"] == 1
    assert long["pieces"] > 1
    assert not long["truncated"]
    assert long["summary"]


def test_masks(client: Client) -> None:
    """Best first, with what the seed of this endpoint shows of each."""
    guesses = client.run("fill_mask", text="the cat sat on the [MASK]", top_k=3)["guesses"]
    assert [set(guess) for guess in guesses] == [{"score", "token", "token_str", "sequence"}] * 3
    assert sorted((guess["score"] for guess in guesses), reverse=True) == [
        guess["score"] for guess in guesses
    ]
    for guess in guesses:
        assert guess["sequence"].startswith("the cat sat on the")


def test_sentiment(client: Client) -> None:
    """The best label is the first of all, whose scores are 1 together."""
    answer = client.run("sentiment", input_text="i like you")
    assert answer["scores"][0] == {"label": answer["label"], "score": answer["score"]}
    assert sum(each["score"] for each in answer["scores"]) == pytest.approx(1)
    assert len(answer["scores"]) == 3


def test_vectors(client: Client) -> None:
    """Of length 1, and the text is not repeated."""
    answer = client.run("embed", text="the cat sat")
    assert sum(each * each for each in answer["vector"]) == pytest.approx(1, abs=1e-4)
    assert "text" not in answer
    assert client.run("embed", text="cat " * 100)["truncated"]


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/fill_mask", {"data": "the cat [MASK]", "headers": {"Content-Type": "text/plain"}}),
        ("/sentiment", {"data": "i like you", "headers": {"Content-Type": "text/plain"}}),
        ("/sentiment?input_text=i%20like%20you", {"data": ""}),
        ("/summarize_text?model=led", {"data": PAGE, "headers": {"Content-Type": "text/plain"}}),
        ("/embed", {"data": "the sky", "headers": {"Content-Type": "text/plain"}}),
    ],
)
def test_texts_need_no_json(system: System, path: str, options: dict[str, Any]) -> None:
    """A body in plain text, or a query string."""
    options["headers"] = {**options.get("headers", {}), "Prefer": "wait=20"}
    reply = requests.post(system.url + path, timeout=30, **options)
    assert (reply.status_code, reply.json()["status"]) == (200, "done"), reply.text


def test_an_array_of_texts(system: System) -> None:
    """One bad one fails alone."""
    body = [{"text": "the [MASK]"}, {"text": "no open word"}, {"txt": "typing error"}]
    reply = requests.post(
        system.url + "/fill_mask", json=body, headers={"Prefer": "wait=20"}, timeout=30
    )
    good, failed, refused = reply.json()
    assert good["status"] == "done"
    assert "needs a [MASK]" in failed["error"]["detail"]
    assert refused["status"] == 422


def test_models_are_picked(system: System, client: Client) -> None:
    """The first is the default; another name is refused, and the answer lists the right ones."""
    asked: dict[str, Any] = {"question": "who?", "context": PAGE}
    by_default = client.run("ask_question", **asked)
    assert by_default == client.run("ask_question", **asked, model="finder")
    assert by_default["id"] != client.run("ask_question", **asked, model="t5")["id"]
    reply = requests.post(system.url + "/ask_question", json={**asked, "model": "gpt"}, timeout=10)
    assert reply.status_code == 422
    assert "finder, t5" in reply.text


def test_every_model_has_a_queue(system: System) -> None:
    """Which its workers are counted by."""
    types = requests.get(system.url + "/load", timeout=10).json()["types"]
    assert types["summarization/led"]["workers"] == 1
    told = types["question-answering/t5"]
    assert (told["load"], told["workers"], told["oldest_waiting_s"]) == (0, 1, None)
