"""A batch gives each input the answer that it gets alone, and no input harms another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.pretrained import TOKENS_ON_PROCESSOR, Pretrained
from doneyet.task_types.models.model_type import ModelEntry, ModelType
from doneyet.task_types.models.models_table import TASKS
from doneyet.task_types.run_batch import run_batch
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
ENCODERS = [
    ("embedding", "encoder", "text"),
    ("fill-mask", "mlm", "text"),
    ("text-classification", "classifier", "input_text"),
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


def pretrained_of(made: ModelType) -> Pretrained:
    """What transformers made for the engine of `made`."""
    engine: Any = made.engine
    assert isinstance(engine, EngineBase)
    return engine.pretrained


@pytest.mark.parametrize(("task", "model", "method", "_"), BATCHES, ids=lambda it: str(it)[:24])
def test_the_table_bounds_a_batch(models: Path, task: str, model: str, method: str, _: Any) -> None:
    """`max_batch_tokens` counts where inputs become batches, and where an engine makes its own."""
    options = OPTIONS.get(method, {})
    place = model if model == MINILM else f"./{model}"
    for told, counts in ((99, 99), (None, TOKENS_ON_PROCESSOR)):
        entry = ModelEntry(
            model=place,
            method=method,
            options=options,
            folder=models,
            threads=1,
            device="cpu",
            max_batch_tokens=told,
        )
        made = TASKS[task]("model", entry)
        made.load()
        assert made.max_batch_cost == float(counts)
        assert made.engine.max_batch_tokens == counts
        assert pretrained_of(made).max_batch_tokens == counts


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
    texts = ["the [MASK] sat", "no open word", "cat " * 90 + "[MASK]", "[MASK] " * 11]
    bodies = [model.canonical(model.Input(text=text, top_k=100)) for text in texts]
    good, *bad = run_batch(model, bodies)
    assert good.done
    reasons = ("the text needs a [MASK]", "93 tokens, and this model reads 64", "ask for fewer")
    for answer, reason in zip(bad, reasons, strict=True):
        assert not answer.done
        assert reason in answer.body.decode()


@pytest.mark.parametrize(("task", "model", "field"), ENCODERS)
def test_what_the_model_rejects_fails_alone(
    make_model: MakeModel, task: str, model: str, field: str
) -> None:
    """Here a word that the tokenizer knows and the model does not; the batch is halved for it."""
    made = make_model(task, model)
    pretrained_of(made).tokenizer.add_tokens(["zebra"])
    bodies = [
        made.canonical(made.Input(**{field: text}))
        for text in ("the cat [MASK]", "a zebra [MASK]", "the dog [MASK]", "a fish [MASK]")
    ]
    told = run_batch(made, bodies)
    assert [answer.done for answer in told] == [True, False, True, True]
    assert b"no token 'zebra'" in told[1].body


@pytest.mark.parametrize(("task", "model", "field"), ENCODERS)
def test_exhausted_memory_halves_the_batch(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, task: str, model: str, field: str
) -> None:
    """Simulated, since it takes a GPU: more than two texts at once are too many."""
    made = make_model(task, model)
    network = pretrained_of(made).model
    sizes: list[int] = []

    def exhausting(**inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return type(network).forward(network, **inputs)

    monkeypatch.setattr(network, "forward", exhausting)
    bodies = [made.canonical(made.Input(**{field: f"{text[:60]} [MASK]"})) for text in TEXTS]
    assert all(answer.done for answer in run_batch(made, bodies))
    assert sizes == [5, 2, 3, 1, 2]


def test_one_input_that_exhausts_the_memory_fails_saying_so(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing smaller can be tried."""
    model = make_model("embedding", "encoder")
    network = pretrained_of(model).model

    def exhausting(**inputs: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(network, "forward", exhausting)
    (answer,) = run_batch(model, [model.canonical(model.Input(text="cat"))])
    assert not answer.done
    assert b"out of memory" in answer.body


@pytest.mark.parametrize(
    ("task", "model", "method", "given", "options"),
    [
        ("question-answering", "finder", "extractive", {"question": "who?"}, {"stride": 8}),
        ("question-answering", MINILM, "passages", {"question": "Who sings?"}, {}),
        ("summarization", "bart", "generative", {}, {"max_length": 8}),
        ("summarization", MINILM, "central-sentences", {}, {}),
    ],
)
def test_parts_of_one_long_input_are_halved(
    make_model: MakeModel,
    monkeypatch: pytest.MonkeyPatch,
    *,
    task: str,
    model: str,
    method: str,
    given: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """It is a batch by itself, and answered as if the memory had sufficed."""
    made = make_model(task, model, method, **options)
    text = "The cat sat on the mat. A dog ran in the sun. Birds sing in the tree. " * 8
    (expected,) = answers(made, {**given, "context": text})
    network = pretrained_of(made).model
    rows: list[int] = []

    def exhausting(**inputs: Any) -> Any:
        given = inputs.get("input_ids")
        rows.append(len(inputs["decoder_input_ids"] if given is None else given))
        if rows[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return type(network).forward(network, **inputs)

    monkeypatch.setattr(network, "forward", exhausting)
    (answer,) = answers(made, {**given, "context": text})
    assert max(rows) > 2
    assert rounded(answer.model_dump()) == rounded(expected.model_dump())
