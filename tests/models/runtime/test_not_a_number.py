"""A model that computes NaN for an input: that input fails and says so, its batch-mates do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import transformers

from doneyet.task_types.loading import NotLoadedError, load
from doneyet.task_types.models.model_type import ModelEntry, ModelType
from doneyet.task_types.models.models_table import TASKS
from doneyet.task_types.run_batch import run_batch
from tests.models import tiny

GOOD, BAD = "the cat sat on the mat.", "a dog likes the blue sky."
"""The word that is damaged below is `dog`."""

KINDS: dict[str, tuple[str, str, str, Callable[[str], dict[str, Any]], dict[str, Any]]] = {
    "embedding": ("embedding", "encoder", "", lambda text: {"text": text}, {}),
    "classifier": (
        *("text-classification", "classifier", "", lambda text: {"input_text": text}, {}),
    ),
    "nearest-label": (
        *("text-classification", "encoder", "nearest-label", lambda text: {"input_text": text}),
        {"labels": {"good": "good.", "bad": "bad."}},
    ),
    "masked-lm": ("fill-mask", "mlm", "", lambda text: {"text": f"[MASK] {text}"}, {}),
    "nearest-word": (
        *("fill-mask", "encoder", "nearest-word", lambda text: {"text": f"[MASK] {text}"}, {}),
    ),
    "extractive": (
        *("question-answering", "finder", ""),
        *(lambda text: {"question": "who?", "context": f"{GOOD * 9} {text}"}, {}),
    ),
    "passages": (
        *("question-answering", "encoder", "passages"),
        *(lambda text: {"question": "who?", "context": f"{GOOD} {text}"}, {}),
    ),
    "generative": (
        *("question-answering", "t5", "generative"),
        *(lambda text: {"question": "who?", "context": text}, {"max_answer_tokens": 4}),
    ),
    "summaries": (
        *("summarization", "bart", ""),
        *(lambda text: {"context": f"{GOOD * 9} {text}"}, {"max_length": 4, "num_beams": 2}),
    ),
    "central-sentences": (
        *("summarization", "encoder", "central-sentences"),
        *(lambda text: {"context": f"{GOOD} {text}"}, {}),
    ),
}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models whose vector of the word `dog`, and of mere padding, is NaN."""
    folder = tmp_path_factory.mktemp("damaged")
    auto = transformers
    tiny.bert(folder / "encoder", auto.AutoModel)
    tiny.bert(folder / "classifier", auto.AutoModelForSequenceClassification, num_labels=3)
    tiny.bert(folder / "finder", auto.AutoModelForQuestionAnswering)
    tiny.bert(folder / "mlm", auto.AutoModelForMaskedLM)
    tiny.t5(folder / "t5")
    tiny.bart(folder / "bart")
    for each in folder.iterdir():
        # T5's texts begin with its padding.
        damage(each, "dog", "▁dog", "[PAD]", *([] if each.name == "t5" else ["<pad>"]))
    return folder


def damage(folder: Path, *words: str) -> None:
    """Puts NaN in the place of the vectors of `words`, as far as the tokenizer knows them."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer.get_vocab()[word] for word in words if word in tokenizer.get_vocab()]
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    reading = [
        name
        for name in weights
        if name.endswith(("word_embeddings.weight", "shared.weight", "embed_tokens.weight"))
    ]
    assert reading
    for name in reading:
        weights[name][ids] = torch.nan
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def loaded(folder: Path, kind: str, **fields: Any) -> ModelType:
    """The model of this kind."""
    task, model, method, _, options = KINDS[kind]
    entry = {"options": options, **fields}
    made = TASKS[task](
        "x", ModelEntry(model=str(folder / model), method=method, threads=1, **entry)
    )
    load(made)
    return made


def told(model: ModelType, *inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """What is answered to a batch of inputs."""
    bodies = [model.canonical(model.Input(**each)) for each in inputs]
    return [json.loads(answer.body) for answer in run_batch(model, bodies)]


@pytest.mark.parametrize("kind", KINDS)
def test_that_input_fails_and_its_batch_mates_are_answered(damaged: Path, kind: str) -> None:
    """Also where padding's own vector is damaged, which no text has."""
    make = KINDS[kind][3]
    model = loaded(damaged, kind)
    first, bad, last = told(model, make(GOOD), make(BAD), make("fish!"))
    assert "error" not in first, first
    assert "error" not in last, last
    assert bad["error"]["code"] == "task-failed"
    assert "computes NaN or infinity for this input" in bad["error"]["detail"]
    (alone,) = told(model, make(GOOD))
    assert str(alone)[:60] == str(first)[:60]


@pytest.mark.parametrize("kind", ["embedding", "classifier", "extractive", "masked-lm"])
def test_infinity_is_told_alike(tmp_path: Path, kind: str) -> None:
    """As half precision has it where numbers are too large."""
    auto_class = {
        "embedding": transformers.AutoModel,
        "classifier": transformers.AutoModelForSequenceClassification,
        "extractive": transformers.AutoModelForQuestionAnswering,
        "masked-lm": transformers.AutoModelForMaskedLM,
    }[kind]
    folder = tiny.bert(tmp_path / KINDS[kind][1], auto_class)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    damaged = "classifier.bias" if kind == "classifier" else "layer.1.output.LayerNorm.bias"
    name = next(name for name in weights if name.endswith(damaged))
    weights[name][0] = torch.inf
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (bad,) = told(loaded(tmp_path, kind), KINDS[kind][3](GOOD))
    assert "computes NaN or infinity" in bad["error"]["detail"]


def test_a_vector_of_nothing_but_zeros_points_nowhere(tmp_path: Path) -> None:
    """It cannot be made 1 long."""
    folder = tiny.bert(tmp_path / "encoder", transformers.AutoModel)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    for name in ("weight", "bias"):
        weights[f"encoder.layer.1.output.LayerNorm.{name}"][:] = 0
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (bad,) = told(loaded(tmp_path, "embedding"), {"text": GOOD})
    assert "computes NaN" in bad["error"]["detail"]


def test_large_vectors_are_made_1_long(tmp_path: Path) -> None:
    """Single precision has no square of them."""
    folder = tiny.bert(tmp_path / "encoder", transformers.AutoModel)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.LayerNorm.weight"] *= 1e30
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (good,) = told(loaded(tmp_path, "embedding"), {"text": GOOD})
    assert sum(number**2 for number in good["vector"]) == pytest.approx(1, abs=1e-4)


def test_a_description_without_numbers_is_refused_at_load(damaged: Path) -> None:
    """It names the label; every text would be compared with it."""
    labels = {"good": "good.", "animal": ["cat.", "dog."]}
    with pytest.raises(NotLoadedError, match=r"options\.labels\.animal: the model computes NaN"):
        loaded(damaged, "nearest-label", options={"labels": labels})


def test_a_word_without_a_vector_is_no_guess(damaged: Path) -> None:
    """The others are."""
    (answer,) = told(loaded(damaged, "nearest-word"), {"text": "[MASK] likes fish", "top_k": 100})
    words = [guess["token_str"] for guess in answer["guesses"]]
    assert "cat" in words
    assert "dog" not in words
