"""Labels: as the library's own pipeline tells them, and by descriptions without training."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
import requests
import transformers

from doneyet.client import Client
from doneyet.local.system import System
from doneyet.task_types.models.model_type import ModelEntry, ModelType
from doneyet.task_types.models.models_table import TASKS
from tests.models import tiny
from tests.models.conftest import MINILM, MakeModel, answers

ROOT = Path(__file__).parents[3]
TEXTS = ["i like you", "the sky is not blue!", "bad fish " * 9, "very good"]


def loaded(folder: Path, **config: Any) -> ModelType:
    """A classifier with this configuration."""
    tiny.bert(folder / "model", transformers.AutoModelForSequenceClassification, **config)
    made = TASKS["text-classification"]("x", ModelEntry(model=str(folder / "model")))
    made.load()
    return made


def test_all_labels_are_told_as_the_pipeline_does(client: Client, models: Path) -> None:
    """The same scores, the best first; over HTTP."""
    place = str(models / "classifier")
    pipeline: Any = transformers.pipeline("text-classification", model=place, device="cpu")
    for text in TEXTS:
        expected = pipeline(text, top_k=None)
        told = client.run("sentiment", input_text=text)
        assert (told["label"], told["score"]) == (
            told["scores"][0]["label"],
            told["scores"][0]["score"],
        )
        assert [each["label"] for each in told["scores"]] == [each["label"] for each in expected]
        assert [each["score"] for each in told["scores"]] == pytest.approx(
            [each["score"] for each in expected], abs=1e-5
        )
        assert not told["truncated"]
        assert told["input_text"] == text


def test_labels_have_the_models_names(tmp_path: Path) -> None:
    """As its configuration has them; scores are 1 together."""
    model = loaded(tmp_path, id2label={0: "sad", 1: "glad"}, label2id={"sad": 0, "glad": 1})
    (told,) = answers(model, {"input_text": "i like you"})
    assert {each.label for each in told.scores} == {"sad", "glad"}
    assert sum(each.score for each in told.scores) == pytest.approx(1)


@pytest.mark.parametrize(
    "config",
    [{"num_labels": 3, "problem_type": "multi_label_classification"}, {"num_labels": 1}],
    ids=["several labels at once", "a single label"],
)
def test_labels_that_exclude_nothing_are_scored_one_by_one(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    """By the logistic function, so that their scores need not be 1 together."""
    model = loaded(tmp_path, **config)
    pipeline: Any = transformers.pipeline(
        "text-classification", model=model.entry.model, device="cpu"
    )
    (told,) = answers(model, {"input_text": "i like you"})
    expected = pipeline("i like you", top_k=None)
    assert [each.model_dump() for each in told.scores] == [
        {**each, "score": pytest.approx(each["score"], abs=1e-5)} for each in expected
    ]
    assert sum(each.score for each in told.scores) != pytest.approx(1, abs=0.01)


def test_a_long_text_is_judged_by_its_beginning(make_model: MakeModel) -> None:
    """And the answer says so."""
    model = make_model("text-classification", "classifier")
    fits, long = answers(
        model, {"input_text": "good " * 62}, {"input_text": "good " * 62 + "bad fish " * 50}
    )
    assert (fits.truncated, long.truncated) == (False, True)
    assert long.score == pytest.approx(fits.score, abs=1e-5), "what is read is the same"


def test_a_query_string_with_an_empty_body(system: System) -> None:
    """As one of the clients that must work sends it."""
    reply = requests.post(
        system.url + "/sentiment?input_text=i%20like%20you",
        headers={"Prefer": "wait=20", "Content-Type": "application/x-www-form-urlencoded"},
        timeout=30,
    )
    assert reply.json()["input_text"] == "i like you"
    assert reply.json()["done"]


@pytest.fixture(scope="module")
def by_description() -> ModelType:
    """The model of the table that needs no model hub."""
    table = tomllib.loads((ROOT / "models.minilm.toml").read_text())
    made = TASKS["text-classification"](
        "minilm", ModelEntry(**table["text-classification"]["minilm"])
    )
    made.load()
    return made


FRIENDLY = [
    *("I like you", "i like you", "What a lovely day!", "Great job, thank you."),
    *("The food was delicious.", "We had a wonderful time.", "I feel good today."),
    *("Congratulations on your success!", "My new bike is fantastic."),
]
UNFRIENDLY = [
    *("I hate you", "What a terrible day!", "This was a complete waste of money."),
    *("The soup was cold and the staff were rude.", "We had an awful time.", "I feel sad."),
    *("Everything went wrong.", "My new bike is junk.", "I do not like you."),
]


def test_obvious_texts_have_the_right_label(by_description: ModelType) -> None:
    """By nothing but the descriptions of two labels."""
    texts = [{"input_text": text} for text in (*FRIENDLY, *UNFRIENDLY)]
    told = [answer.label for answer in answers(by_description, *texts)]
    assert told == ["positive"] * len(FRIENDLY) + ["negative"] * len(UNFRIENDLY)


def test_labels_may_be_anything(make_model: MakeModel) -> None:
    """One description or several of each, of which the nearest counts."""
    labels = {
        "sport": "A match, a race, a team that wins or loses.",
        "cooking": ["A recipe, a meal.", "Bake it in the oven."],
        "weather": "Rain, wind and sunshine.",
    }
    model = make_model("text-classification", MINILM, "nearest-label", labels=labels)
    texts = ["Our team lost the final.", "Stir the soup.", "It will snow tomorrow."]
    told = answers(model, *({"input_text": text} for text in texts))
    assert [answer.label for answer in told] == list(labels)
    for answer in told:
        assert sum(each.score for each in answer.scores) == pytest.approx(1)


def test_temperature_decides_how_decided_scores_are(make_model: MakeModel) -> None:
    """Scores are the softmax of cosines divided by it: a tenth of it is ten times the distance."""
    labels = {"good": "It is good.", "bad": "It is bad."}

    def distance(temperature: float) -> float:
        options = {"labels": labels, "temperature": temperature}
        model = make_model("text-classification", MINILM, "nearest-label", **options)
        (told,) = answers(model, {"input_text": "a good book"})
        assert told.label == "good"
        return math.log(told.scores[0].score / told.scores[1].score)

    assert distance(0.1) == pytest.approx(distance(1.0) * 10, rel=1e-3)


def test_a_text_beyond_what_vectors_hold_says_so(by_description: ModelType) -> None:
    """Sentence models read 256 tokens."""
    short, long = answers(
        by_description, {"input_text": "I like it. " * 10}, {"input_text": "I like it. " * 200}
    )
    assert (short.truncated, long.truncated) == (False, True)
