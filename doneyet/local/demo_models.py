"""The demonstration of models: every endpoint asked once, on this machine alone.

The models are those of `models.minilm.toml`. Their weights come in a Python package, so no model
hub is needed.
"""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from doneyet.client import Client
from doneyet.local.console import say
from doneyet.local.system import System

TABLE = Path(__file__).parents[2] / "models.minilm.toml"
WIDTH = 76

PAGE = """\
The lighthouse stands on a rock four miles from the harbour. It was built in 1874 by the engineer
Ada Moreau, after three ships had been lost in one winter. Its lamp burned whale oil at first, and
was changed to electric light in 1926. The keeper climbs 212 steps to reach the lantern. Supplies
come by boat every second Tuesday, if the sea allows it. My cousin once sold umbrellas in the
village. In fog a horn sounds every thirty seconds. Ships as far as twenty miles away can see the
lighthouse at night. Since 1988 the lighthouse has worked without a keeper, and its rooms are a
museum of navigation."""

CHAPTERS = [
    {"title": "The storm", "context": "The wind rose at noon. By evening the storm had torn the "
     "roof from the barn. Nobody slept while the storm lasted. A cat watched from the window. At "
     "dawn the storm moved out to sea and left the village in ruins."},
    {"title": "The market", "context": "On Saturday the market opened again. Farmers sold bread, "
     "cheese and apples at the market. A child lost a shoe. Everybody in the village came to the "
     "market to hear the news and to trade."},
]  # fmt: skip


def demo_models() -> int:
    """Starts everything, asks every endpoint, stops everything; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="doneyet-demo-") as folder:
        settings = {
            "DONEYET_MODELS": str(TABLE),
            "DONEYET_TASKS": "factorization,regression",
            "DONEYET_STORAGE": folder,
            "HF_HUB_OFFLINE": "1",
        }
        with System(processes=1, settings=settings) as system:
            if sys.stderr.isatty():
                say(f"Submitting to every endpoint of {system.url}:")
            with Client(system.url) as client:
                ask_all(client, Path(folder), print)
    return 0


def ask_all(client: Client, folder: Path, show: Callable[[str], Any]) -> None:
    """Asks every endpoint and shows what it was asked and what it answered.

    Raises:
        ClientError: an endpoint did not answer, or a task failed.
    """
    _embed(client, show)
    _summarize(client, show)
    _answer(client, show)
    _feel(client, show)
    _fill(client, show)
    _regress(client, show)
    _batch(client, folder, show)


def _embed(client: Client, show: Callable[[str], Any]) -> None:
    texts = [
        "The boat left the harbour.",
        "A ship sailed out of port.",
        "She baked a chocolate cake.",
    ]
    show(_head("/embed", "sentence vectors: how alike are texts?"))
    vectors = [client.run("embed", text=text)["vector"] for text in texts]
    show(f"  {texts[0]!r} is to")
    for text, vector in zip(texts[1:], vectors[1:], strict=True):
        likeness = sum(a * b for a, b in zip(vectors[0], vector, strict=True))
        show(f"    {text!r:31} alike by {likeness:.2f}")


def _summarize(client: Client, show: Callable[[str], Any]) -> None:
    show(_head("/summarize_text", "the sentences that carry a page of text"))
    show(_wrapped(client.run("summarize_text", context=PAGE)["summary"]))


def _answer(client: Client, show: Callable[[str], Any]) -> None:
    show(_head("/ask_question", "the passage of the same page that answers"))
    for question in (
        "Who built the lighthouse?",
        "How many steps are there?",
        "How often do supplies arrive?",
    ):
        answer = client.run("ask_question", question=question, context=PAGE)
        show(f"  {question}")
        show(_wrapped(answer["answer"], "    "))


def _feel(client: Client, show: Callable[[str], Any]) -> None:
    show(_head("/sentiment", "how friendly a text is"))
    for text in ("I like you.", "This was a complete waste of money."):
        answer = client.run("sentiment", input_text=text)
        show(f"  {text!r:40} {answer['label']} ({answer['score']:.2f})")


def _fill(client: Client, show: Callable[[str], Any]) -> None:
    show(_head("/fill_mask", "words that fit the topic (grammar needs a masked language model)"))
    for text in ("The capital of France is [MASK].", "A dog is a kind of [MASK]."):
        guesses = client.run("fill_mask", text=text)["guesses"]
        show(f"  {text:36} {', '.join(guess['token_str'] for guess in guesses)}")


def _regress(client: Client, show: Callable[[str], Any]) -> None:
    show(_head("/fit, /predict, /score", "y = 3 - 2x + x^2, with noise, by a polynomial"))
    noise = random.Random(7)
    x = [at / 10 for at in range(-20, 21)]
    y = [3 - 2 * at + at * at + noise.gauss(0, 0.05) for at in x]
    fit = client.run("fit", x=x, y=y, kind="polynomial", degree=2)
    terms = " ".join(f"{c['value']:+.2f} {c['term']}" for c in fit["coefficients"])
    show(f"  fitted: {fit['constant']:.2f} {terms}")
    predicted = client.run("predict", model=fit["fitted"], x=[5.0])["y"][0]
    show(f"  predicted at 5: {predicted:.2f} (without noise {3 - 10 + 25})")
    score = client.run("score", model=fit["fitted"], x=x, y=y)
    show(f"  score: R^2 {score['r2']:.4f}, RMSE {score['rmse']:.3f}")


def _batch(client: Client, folder: Path, show: Callable[[str], Any]) -> None:
    show(_head("/summarize_batch, /batch", "from file to file"))
    (folder / "chapters.json").write_text(json.dumps(CHAPTERS))
    answer = client.run(
        "summarize_batch", input_filename="chapters.json", output_filename="summaries.json"
    )
    show(f"  chapters.json -> summaries.json: {answer['succeeded']} of {answer['items']}")
    for chapter in json.loads((folder / "summaries.json").read_text()):
        show(_wrapped(f"{chapter['title']}: {chapter['summary']}", "    "))
    numbers = [{"number": math.factorial(n) + 1} for n in range(10, 30)]
    (folder / "numbers.jsonl").write_text("".join(json.dumps(each) + "\n" for each in numbers))
    answer = client.run("batch", task="factorize", input="numbers.jsonl", output="factors.jsonl")
    show(f"  numbers.jsonl -> factors.jsonl: {answer['succeeded']} of {answer['items']}, the last:")
    last = json.loads((folder / "factors.jsonl").read_text().splitlines()[-1])
    show(_wrapped(f"29! + 1 = {last['factorization_str']}", "    "))


def _head(endpoint: str, text: str) -> str:
    return f"\nPOST {endpoint}: {text}"


def _wrapped(text: str, indent: str = "  ") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
