"""Summaries: pieces, lengths, progress, and what is left when a worker dies in the middle."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import requests
import torch
from hypothesis import given
from hypothesis import strategies as st

from doneyet.local.demo_models import PAGE
from doneyet.local.system import System
from doneyet.task_types.models.engines.generative_summaries import cut_into_pieces, sentence_starts
from doneyet.task_types.models.engines.sentences.central_sentences import choose
from tests.helpers import children_of, wait_until
from tests.models.conftest import MINILM, MakeModel, answers

TEXT = "The cat sat on the mat. Who likes fish? We like the blue sky and the number ten. " * 6


@pytest.mark.parametrize("name", ["t5", "bart", "led"])
def test_every_token_is_in_one_piece(make_model: MakeModel, name: str) -> None:
    """In order; each piece fits the model, and has the special tokens that the tokenizer adds."""
    prefix = "number: " if name == "t5" else ""
    model = make_model("summarization", name, prefix=prefix)
    engine: Any = model.engine
    (prepared,) = model.prepare([model.Input(context=TEXT)])
    special, tokenizer = engine._writer.special, engine._writer.pretrained.tokenizer
    head = [*special.head, *tokenizer(prefix, add_special_tokens=False)["input_ids"]]
    together = []
    for piece in prepared.pieces:
        ids = piece["input_ids"]
        assert ids[: len(head)] == head
        assert ids[len(ids) - len(special.tail) :] == special.tail
        assert len(ids) <= engine._writer.pretrained.max_tokens
        together += ids[len(head) : len(ids) - len(special.tail)]
    assert len(prepared.pieces) > 1
    assert together == tokenizer(TEXT, add_special_tokens=False, verbose=False)["input_ids"]


def test_a_short_text_is_read_as_the_tokenizer_makes_it(make_model: MakeModel) -> None:
    """One piece, the same sequence."""
    model = make_model("summarization", "bart")
    engine: Any = model.engine
    (prepared,) = model.prepare([model.Input(context="The cat sat.")])
    expected = dict(engine._writer.pretrained.tokenizer("The cat sat."))
    assert prepared.pieces == [expected]


@given(st.integers(1, 400), st.sets(st.integers(0, 399)), st.integers(1, 60))
def test_pieces_fit_and_follow_each_other(count: int, starts: set[int], room: int) -> None:
    """Whatever the sentences; a cut within one only where none begins."""
    ordered = sorted(at for at in starts if at < count)
    pieces = cut_into_pieces(count, ordered, room)
    assert pieces[0][0] == 0
    assert pieces[-1][1] == count
    for (start, end), following in zip(pieces, [*pieces[1:], (count, 0)], strict=True):
        assert 0 < end - start <= room
        assert following[0] == end
        if end < count and end not in starts:
            assert not [at for at in ordered if start < at <= start + room]


def test_pieces_end_where_sentences_do(make_model: MakeModel) -> None:
    """Of about equal length, none of them a small rest."""
    assert cut_into_pieces(100, [0, 20, 45, 52, 80], 60) == [(0, 52), (52, 100)]
    offsets = [(0, 2), (2, 5), (5, 6), (6, 9), (9, 12), (12, 13)]
    assert sentence_starts("Aa bb. Cc dd.", offsets) == [0, 3]


def test_lengths_are_respected(make_model: MakeModel) -> None:
    """Those of the request, else those of the models table; also within one batch."""
    model = make_model("summarization", "bart", max_length=6)
    tokenizer = model.engine._writer.pretrained.tokenizer  # type: ignore[attr-defined]
    short, long = answers(
        model,
        {"context": "The cat sat."},
        {"context": "The cat.", "max_length": 30, "min_length": 20},
    )
    count = [
        len(tokenizer(each.summary, add_special_tokens=False)["input_ids"])
        for each in (short, long)
    ]
    assert count[0] <= 6
    assert 15 <= count[1] <= 31  # decoding and encoding may join tokens


def test_progress_is_told_piece_by_piece(make_model: MakeModel) -> None:
    """Up to the last one."""
    model = make_model("summarization", "t5", max_length=4)
    model.engine.max_batch_tokens = 64  # a piece at a time
    told: list[tuple[float, str]] = []
    (summary,) = answers(model, {"context": TEXT}, told=told)
    assert [fraction for fraction, _ in told] == pytest.approx(
        [(n + 1) / summary.pieces for n in range(summary.pieces)]
    )
    assert told[0][1] == f"piece 1 of {summary.pieces}"


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"context": ""}, "/context"),
        ({"context": "x", "max_length": 0}, "/max_length"),
        ({"context": "x", "max_length": 5, "min_length": 9}, "min_length must not be greater"),
    ],
)
def test_bad_requests(system: System, question: dict[str, Any], reason: str) -> None:
    """Are refused at once."""
    reply = requests.post(f"{system.url}/summarize_text", json=question, timeout=10)
    assert reply.status_code == 422
    assert reason in reply.json()["detail"]


def test_nothing_but_space(make_model: MakeModel) -> None:
    """Has no summary, and says so."""
    for model in (
        make_model("summarization", "bart"),
        make_model("summarization", MINILM, "central-sentences"),
    ):
        (answer,) = answers(model, {"context": " \n "})
        assert isinstance(answer, ValueError)


def test_a_worker_killed_in_the_middle(models: Path) -> None:
    """The summary is begun again and is the same as without."""
    table = models / "slow.toml"
    table.write_text('[summarization.bart]\nmodel = "./bart"\nmax_batch_tokens = 64\nthreads = 1\n')
    settings = {"DONEYET_MODELS": str(table), "DONEYET_LEASE_S": "1"}
    with System(processes=1, settings=settings) as own:
        question = {"context": TEXT * 16, "max_length": 12}
        asked: dict[str, Any] = {
            "url": f"{own.url}/summarize_text",
            "json": question,
            "timeout": 60,
        }

        def progress() -> float:
            answer = requests.post(**asked).json()
            assert not answer["done"], "the text is long enough to be interrupted"
            return float((answer.get("progress") or {"fraction": 0})["fraction"])

        wait_until(lambda: progress() > 0.02, description="a part is done", timeout_s=30)
        assert own.worker is not None
        (pid,) = children_of(own.worker.pid, "worker.process")
        os.kill(pid, signal.SIGKILL)
        answer = wait_until(
            lambda: _done(requests.post(**asked, headers={"Prefer": "wait=20"}).json()),
            description="it is answered",
            timeout_s=50,
        )
        told = requests.get(f"{own.url}/tasks/{answer['id']}", timeout=10).json()
        assert told["attempts"] == 2
        again = requests.post(**asked, headers={"Cache-Control": "no-cache", "Prefer": "wait=30"})
        assert again.json()["summary"] == answer["summary"]
        assert answer["pieces"] > 50


def _done(answer: dict[str, Any]) -> dict[str, Any]:
    return answer if answer["done"] else {}


def test_central_sentences_carry_the_topic(make_model: MakeModel) -> None:
    """The aside about umbrellas is none of them, and their order is that of the text."""
    model = make_model("summarization", MINILM, "central-sentences")
    (answer,) = answers(model, {"context": PAGE})
    assert "lighthouse" in answer.summary
    assert "umbrellas" not in answer.summary
    kept = [sentence for sentence in PAGE.split(".") if sentence.strip() in answer.summary]
    assert 1 < len(kept) < 6
    assert answer.summary.index("rock") < answer.summary.index("twenty miles")


def test_central_sentences_of_a_long_text(make_model: MakeModel) -> None:
    """Thousands of sentences, with progress; the length that was asked for is kept."""
    model = make_model("summarization", "encoder", "central-sentences")
    told: list[tuple[float, str]] = []
    text = " ".join(f"Cat number {n} sat on the mat of dog {n % 7}." for n in range(3000))
    (answer,) = answers(model, {"context": text, "max_length": 100}, told=told)
    fractions = [fraction for fraction, _ in told]
    assert len(fractions) > 5
    assert fractions == sorted(fractions)
    assert 1 <= answer.summary.count("Cat number") <= 12


def test_choosing() -> None:
    """The most central first, nothing that says the same, within the length; at least one."""
    about = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [1.0, 0.5], [0.9, 0.9], [1.0, 0.12]]),
        dim=1,
    )
    assert choose(about, [5] * 6, 10) == [2, 3]
    assert choose(about, [5] * 6, 4) == [3]
