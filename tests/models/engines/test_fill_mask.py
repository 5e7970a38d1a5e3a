"""Words for `[MASK]`: as the library's own pipeline tells them, for any number of masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
import transformers

from doneyet.client import Client
from doneyet.client.errors import TaskFailedError
from doneyet.local.system import System
from doneyet.task_types.models.model_type import ModelEntry, ModelType
from doneyet.task_types.models.models_table import TASKS
from tests.models import tiny
from tests.models.conftest import MINILM, MakeModel, answers

GUESS = {"score", "token", "token_str", "sequence"}


def close(guesses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`guesses` with scores that may be compared."""
    return [{**guess, "score": pytest.approx(guess["score"], abs=1e-5)} for guess in guesses]


def test_one_mask_has_the_list_that_the_pipeline_gives(client: Client, models: Path) -> None:
    """The same words, scores and texts, the best first; over HTTP."""
    pipeline: Any = transformers.pipeline("fill-mask", model=str(models / "mlm"), device="cpu")
    for text in ("the cat sat on the [MASK].", "[MASK] likes fish, I think!"):
        expected = pipeline(text, top_k=7)
        told = client.run("fill_mask", text=text, top_k=7)["guesses"]
        assert [set(guess) for guess in told] == [GUESS] * 7
        assert told == close(expected)


def test_several_masks_have_a_list_each(client: Client, models: Path) -> None:
    """In the order of the text, as if the others stayed open, which they do in the sequences."""
    pipeline: Any = transformers.pipeline("fill-mask", model=str(models / "mlm"), device="cpu")
    text = "the [MASK] sat on the [MASK]"
    expected = pipeline(text, top_k=3)
    told = client.run("fill_mask", text=text, top_k=3)["guesses"]
    assert [len(guesses) for guesses in told] == [3, 3]
    for ours, theirs in zip(told, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            bare = other["sequence"].removeprefix("[CLS]").removesuffix("[SEP]").strip()
            assert {**one, "score": 0} == {**other, "score": 0, "sequence": bare}
            assert one["score"] == pytest.approx(other["score"], abs=1e-5)
            assert one["sequence"].count("[MASK]") == 1
    assert all(each["sequence"].endswith("sat on the [MASK]") for each in told[0])
    assert all(each["sequence"].startswith("the [MASK] sat") for each in told[1])


def test_masks_of_different_numbers_share_a_batch(make_model: MakeModel) -> None:
    """Each text gets what it gets alone."""
    model = make_model("fill-mask", "mlm")
    inputs: list[dict[str, Any]] = [
        {"text": "[MASK] sat", "top_k": 2},
        {"text": "the [MASK] on the [MASK] in [MASK] " * 2, "top_k": 1},
        {"text": "paris is [MASK]", "top_k": 4},
    ]
    together = [answer.model_dump()["guesses"] for answer in answers(model, *inputs)]
    assert len(together[0]) == 2
    assert [len(guesses) for guesses in together[1]] == [1] * 6
    assert len(together[2]) == 4
    for each, ours in zip(inputs, together, strict=True):
        alone = answers(model, each)[0].model_dump()["guesses"]
        for one, other in zip(ours, alone, strict=True):
            pair = ([one], [other]) if isinstance(one, dict) else (one, other)
            assert pair[0] == close(pair[1])


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> ModelType:
    """A model whose mask token is `<mask>`."""
    folder = tmp_path_factory.mktemp("roberta")
    tiny.roberta(folder / "roberta")
    made = TASKS["fill-mask"]("roberta", ModelEntry(model="./roberta", folder=folder))
    made.load()
    return made


def test_every_model_understands_the_same_mask(roberta: ModelType) -> None:
    """`[MASK]` stands for the model's own mask token, which may be sent as well."""
    common, own = answers(roberta, {"text": "the [MASK] sat"}, {"text": "the <mask> sat"})
    assert common.model_dump()["guesses"] == close(own.model_dump()["guesses"])
    assert common.guesses[0].sequence.startswith("the ")
    (none,) = answers(roberta, {"text": "the cat sat"})
    assert str(none) == "the text needs a <mask> where a word is missing"


def test_another_models_mask_token_is_a_text(client: Client) -> None:
    """Nothing is guessed: the reason names the mask token of the model that was asked."""
    with pytest.raises(TaskFailedError, match=r"needs a \[MASK\] where a word is missing"):
        client.run("fill_mask", text="the <mask> sat")


def test_a_text_that_is_too_long_fails(client: Client, roberta: ModelType) -> None:
    """It is never cut, since the guesses would be for another text; 64 tokens are read."""
    with pytest.raises(TaskFailedError, match="has 83 tokens, and this model reads 64"):
        client.run("fill_mask", text="[MASK] " + "cat " * 80)
    just, more = (answers(roberta, {"text": "<mask> " + "cat " * count})[0] for count in (61, 62))
    assert len(just.guesses) == 5
    assert "has 65 tokens, and this model reads 64" in str(more)


def test_more_guesses_than_words(make_model: MakeModel) -> None:
    """All words that there are, whose scores are 1 together."""
    model = make_model("fill-mask", "mlm")
    size = model.engine.pretrained.model.config.vocab_size  # type: ignore[attr-defined]
    model.engine.pretrained.model.resize_token_embeddings(30)  # type: ignore[attr-defined]
    (told,) = answers(model, {"text": "a [MASK]", "top_k": 100})
    assert len(told.guesses) == 30 < 100 < size
    assert sum(guess.score for guess in told.guesses) == pytest.approx(1)


@pytest.mark.parametrize("top_k", [0, 101, "many"])
def test_how_many_guesses_may_be_asked(system: System, top_k: Any) -> None:
    """From 1 to 100; else a 422 that names the field."""
    body = {"text": "a [MASK]", "top_k": top_k}
    reply = requests.post(system.url + "/fill_mask", json=body, timeout=10)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["pointer"] == "/top_k"


def test_words_by_likeness(make_model: MakeModel) -> None:
    """Without a masked language model: what the rest of the text is about; one mask at a time."""
    model = make_model("fill-mask", MINILM, "nearest-word")
    told, two, none = answers(
        model,
        {"text": "The capital of France is [MASK]."},
        {"text": "[MASK] [MASK]"},
        {"text": "no open word"},
    )
    assert "paris" in [guess.token_str for guess in told.guesses]
    assert set(told.guesses[0].model_dump()) == GUESS
    assert "has 2" in str(two)
    assert "has 0" in str(none)
