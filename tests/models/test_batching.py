"""A batch gives each input the answer that it gets alone, and no input harms another."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tasks.execution import run_batch
from tests.models.conftest import MINILM, MakeModel, answers

TEXTS = [
    "the cat sat on the mat.",
    "paris is the capital of france. " * 7,
    "fish!",
    "who likes the blue sky? i do not. " * 3,
    "one two three four five six seven eight nine ten",
]
QUESTIONS = ["who?", "where is the cat?", "what sat?", "is it who likes fish or what?"]
LEADS = ["Who likes fish?", "Paris is the capital of France.", "We like the sky.", "One two three."]
PAGES = [
    f"{lead} The cat sat on the mat. {lead} " * count
    for lead, count in zip(LEADS, (1, 9, 3, 20), strict=True)
]

BATCHES: list[tuple[str, str, str, list[dict[str, Any]]]] = [
    ("embedding", "encoder", "", [{"text": text} for text in TEXTS]),
    ("embedding", MINILM, "", [{"text": text} for text in TEXTS]),
    ("fill-mask", "mlm", "", [{"text": f"{text[:60]} [MASK]"} for text in TEXTS]),
    ("fill-mask", MINILM, "nearest-word", [{"text": f"{text} [MASK]"} for text in TEXTS]),
    ("text-classification", "classifier", "", [{"input_text": text} for text in TEXTS]),
    ("text-classification", MINILM, "nearest-label", [{"input_text": text} for text in TEXTS]),
    *(
        (
            *("question-answering", model, method),
            [{"question": q, "context": p} for q, p in zip(QUESTIONS, PAGES, strict=True)],
        )
        for model, method in (("finder", ""), ("t5", "generative"), (MINILM, "passages"))
    ),
    *(
        ("summarization", model, method, [{"context": page} for page in PAGES])
        for model, method in (
            *(("t5", ""), ("bart", ""), ("led", "")),
            (MINILM, "central-sentences"),
        )
    ),
]
OPTIONS: dict[str, dict[str, Any]] = {
    "nearest-label": {"labels": {"good": "It is good.", "bad": "It is bad."}},
    "nearest-word": {"words": 200},
    "generative": {"max_answer_tokens": 8},
}


@pytest.mark.parametrize(
    ("task", "model", "method", "inputs"), BATCHES, ids=lambda value: str(value)[:24]
)
def test_batching_changes_no_answer(
    make_model: MakeModel, task: str, model: str, method: str, inputs: list[dict[str, Any]]
) -> None:
    """Within what single precision rounds off."""
    options = {"max_length": 8} if task == "summarization" else OPTIONS.get(method, {})
    made = make_model(task, model, method, **options)
    together = answers(made, *inputs)
    alone = [answers(made, each)[0] for each in inputs]
    assert len({str(each) for each in together}) > 1, "the inputs' answers differ"
    for one, other in zip(together, alone, strict=True):
        assert rounded(one.model_dump()) == rounded(other.model_dump())


def rounded(value: Any) -> Any:
    """`value` with numbers that may be compared."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-4)
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return value


def test_a_refused_input_fails_alone(make_model: MakeModel) -> None:
    """With its own reason."""
    model = make_model("fill-mask", "mlm")
    texts = ["the [MASK] sat", "no open word", "[MASK] and [MASK]", "cat " * 90 + "[MASK]"]
    bodies = [model.canonical(model.Input(text=text)) for text in texts]
    good, *bad = run_batch(model, bodies)
    assert good.done
    for answer, reason in zip(bad, ("has 0", "has 2", "this model reads 64"), strict=True):
        assert not answer.done
        assert reason in answer.body.decode()


def test_exhausted_memory_halves_the_batch(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated, since it takes a GPU: more than two texts at once are too many."""
    model = make_model("embedding", "encoder")
    network = model.engine._vectors.pretrained.model  # type: ignore[attr-defined]
    sizes: list[int] = []

    def exhausting(**inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return type(network).forward(network, **inputs)

    monkeypatch.setattr(network, "forward", exhausting)
    bodies = [model.canonical(model.Input(text=text)) for text in TEXTS]
    assert all(answer.done for answer in run_batch(model, bodies))
    assert sizes == [5, 2, 3, 1, 2]


def test_one_input_that_exhausts_the_memory_fails_saying_so(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing smaller can be tried."""
    model = make_model("embedding", "encoder")
    network = model.engine._vectors.pretrained.model  # type: ignore[attr-defined]

    def exhausting(**inputs: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(network, "forward", exhausting)
    (answer,) = run_batch(model, [model.canonical(model.Input(text="cat"))])
    assert not answer.done
    assert b"out of memory" in answer.body
