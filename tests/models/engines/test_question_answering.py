"""Answers found in a context, and answers that a model writes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import requests
import tokenizers
import torch
import transformers

from doneyet.local.system import System
from doneyet.settings import Settings
from doneyet.task_types import TaskTypeError
from doneyet.task_types.models.engines.extractive_answers import windows_of
from doneyet.task_types.models.engines.runtime.special_tokens import SpecialTokens
from doneyet.task_types.models.models_table import task_types
from tests.models import tiny
from tests.models.conftest import MINILM, MakeModel, answers

QUESTION = "what is the capital of france?"
FILLER = "the cat sat on the mat. "
"""Seven of the tiny models' tokens."""


class Pointer:
    """In the place of a model: the logits of the tokens in `marks` are given, all others are 0."""

    def __init__(self, starts: dict[int, float], ends: dict[int, float]) -> None:
        self.config = transformers.BertConfig(max_position_embeddings=tiny.MOST_TOKENS)
        self.starts, self.ends = starts, ends
        self.longest = 0

    def __call__(self, input_ids: torch.Tensor, **_: Any) -> Any:
        self.longest = max(self.longest, input_ids.numel())
        logits = []
        for marks in (self.starts, self.ends):
            found = torch.zeros(input_ids.shape)
            for token, logit in marks.items():
                found[input_ids == token] = logit
            logits.append(found)
        return transformers.modeling_outputs.QuestionAnsweringModelOutput(
            start_logits=logits[0], end_logits=logits[1]
        )


def pointing(
    make_model: MakeModel, starts: dict[str, float], ends: dict[str, float], **options: Any
) -> Any:
    """The tiny model that finds answers, told what to find."""
    model = make_model("question-answering", "finder", **options)
    engine: Any = model.engine
    numbers = engine.pretrained.tokenizer.get_vocab()
    pointer = Pointer(
        *({numbers[word]: by for word, by in each.items()} for each in (starts, ends))
    )
    engine.pretrained = engine.pretrained._replace(model=pointer)
    return model


def failure_of(model: Any, **fields: Any) -> str:
    """Why the model refuses an input that comes with a good one, which is answered."""
    good = {"question": "who likes fish?", "context": "the dog likes fish."}
    first, refused, last = answers(model, good, fields, good)
    assert first == last
    assert isinstance(refused, ValueError)
    return str(refused)


@pytest.mark.parametrize("place", [0, 1, 7, 20, 33, 60])
def test_the_span_is_mapped_back_to_the_text(make_model: MakeModel, place: int) -> None:
    """Wherever it is in a context of many windows, in letters as they were sent."""
    model = pointing(make_model, {"one": 20.0}, {"three": 20.0})
    said = "ONE (two)\n Three"
    context = FILLER * place + f"Straße … 😀 {said}! " + FILLER * (60 - place)
    (found,) = answers(model, {"question": QUESTION, "context": context})
    assert found.answer == said
    assert context[found.start : found.end] == said
    assert found.score == pytest.approx(1, abs=1e-3), "also where two windows see the span"
    assert not found.truncated


def test_the_score_is_a_softmax_over_all_spans(make_model: MakeModel) -> None:
    """Every span of the context counts once, however many windows see it."""
    model = pointing(make_model, {"one": 3.0}, {"one": 2.0}, max_answer_tokens=2, stride=8)
    context = FILLER * 40 + "one " + FILLER * 40
    (found,) = answers(model, {"question": QUESTION, "context": context})
    tokens = 7 * 80 + 1
    # Of the spans of one or two tokens, three have a logit: "one", ". one" and "one the".
    others = tokens + (tokens - 1) - 3
    total = math.exp(5) + math.exp(2) + math.exp(3) + others
    assert found.answer == "one"
    assert found.score == pytest.approx(math.exp(5) / total, rel=1e-4)


def test_an_answer_ends_after_it_begins(make_model: MakeModel) -> None:
    """An end before the start, or too far behind it, is none."""
    model = pointing(make_model, {"five": 9.0}, {"two": 5.0, "nine": 4.0}, max_answer_tokens=4)
    context = "two three four five six seven eight nine ten"
    (found,) = answers(model, {"question": QUESTION, "context": context})
    assert found.answer.startswith("five")
    assert "nine" not in found.answer
    model = pointing(make_model, {"five": 9.0}, {"two": 5.0, "nine": 4.0}, max_answer_tokens=5)
    (found,) = answers(model, {"question": QUESTION, "context": context})
    assert found.answer == "five six seven eight nine"


def test_only_the_context_has_answers(make_model: MakeModel) -> None:
    """The question's own words are never the answer."""
    model = pointing(make_model, {"france": 9.0, "cat": 1.0}, {"france": 9.0, "cat": 1.0})
    (found,) = answers(model, {"question": QUESTION, "context": FILLER})
    assert found.answer == "cat"


def test_a_context_without_an_answer(make_model: MakeModel) -> None:
    """Models that were trained for it may say so; others name their best guess."""
    marks = ({"[CLS]": 5.0, "cat": 4.0}, {"[CLS]": 5.0, "cat": 4.0})
    asked = {"question": QUESTION, "context": FILLER}
    (found,) = answers(pointing(make_model, *marks), asked)
    assert found.answer == "cat"
    (found,) = answers(pointing(make_model, *marks, may_find_none=True), asked)
    assert (found.answer, found.start, found.end) == ("", None, None)
    assert 0.8 < found.score < 1


def test_windows_share_batches(make_model: MakeModel) -> None:
    """Of at most `max_batch_tokens`, those of one long context among them."""
    model = pointing(make_model, {"one": 9.0}, {"one": 9.0})
    model.engine.max_batch_tokens = 4 * tiny.MOST_TOKENS
    long = {"question": QUESTION, "context": FILLER * 100 + "one"}
    found = answers(model, long, long)
    assert [each.answer for each in found] == ["one", "one"]
    longest: int = model.engine.pretrained.model.longest
    assert 3 * tiny.MOST_TOKENS < longest <= 4 * tiny.MOST_TOKENS


def test_sequences_are_those_of_the_tokenizer(models: Path) -> None:
    """Special tokens and token types included, in the ways of BERT and of RoBERTa."""
    letters = {
        letter: at for at, letter in enumerate(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    }
    special = {name: len(letters) + at for at, name in enumerate(("<s>", "<pad>", "</s>", "<unk>"))}
    roberta = transformers.RobertaTokenizer(vocab={**letters, **special}, merges=[])
    bert = transformers.AutoTokenizer.from_pretrained(models / "finder")
    for tokenizer in (bert, roberta):
        question, context = "who likes fish?", "We do. Ça va? The dog\tlikes it, 😀!"
        asked, told = (
            tokenizer(text, add_special_tokens=False)["input_ids"] for text in (question, context)
        )
        put_together = SpecialTokens(tokenizer).wrap_pair(asked, told)
        assert put_together == dict(tokenizer(question, context))
        assert SpecialTokens(tokenizer).wrap(told) == dict(tokenizer(context))


@pytest.mark.parametrize("count", [1, 40, 41, 60, 61, 200])
@pytest.mark.parametrize(("shared", "longest"), [(0, 1), (9, 10), (16, 4), (20, 18), (20, 64)])
def test_every_span_begins_in_one_window(count: int, shared: int, longest: int) -> None:
    """And ends in it, where the windows share so much that this is possible."""
    room = 40
    owners = [
        (start + at, start + room)
        for start, begin in windows_of(count, room, shared, longest)
        for at in begin
    ]
    assert [token for token, _ in owners] == list(range(count))
    if longest <= shared + 1:
        assert all(end >= min(count, token + longest) for token, end in owners)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"question": "who?"}, "send one"),
        ({"question": "who?", "context": " \n "}, "send one"),
        ({"question": "who?", "context": "\u200b\ufeff"}, "has no words"),
        ({"question": "cat " * 70, "context": FILLER}, "the question has 70 tokens"),
    ],
)
def test_what_cannot_be_found_fails_alone(
    make_model: MakeModel, fields: dict[str, str], reason: str
) -> None:
    """Each with a reason that says what to do."""
    assert reason in failure_of(make_model("question-answering", "finder"), **fields)


def test_long_answers_of_a_trained_model(make_model: MakeModel) -> None:
    """Random weights instead of trained ones: the best span agrees with a plain search for it."""
    model = make_model("question-answering", "finder", max_answer_tokens=6)
    engine: Any = model.engine
    context = "The cat likes fish, the dog (a good one) sat in Paris on the blue mat."
    (found,) = answers(model, {"question": QUESTION, "context": context})
    encoded = engine.pretrained.tokenizer(QUESTION, context, return_tensors="pt")
    with torch.inference_mode():
        logits = engine.pretrained.model(**encoded)
    places = [at for at, part in enumerate(encoded.sequence_ids(0)) if part == 1]
    weights = {
        (start, end): math.exp(float(logits.start_logits[0, start] + logits.end_logits[0, end]))
        for start in places
        for end in places
        if start <= end < start + 6
    }
    start, end = max(weights, key=lambda span: weights[span])
    first, last = encoded.token_to_chars(0, start).start, encoded.token_to_chars(0, end).end
    assert (found.start, found.end) == (first, last)
    assert found.answer == context[first:last]
    assert found.score == pytest.approx(weights[start, end] / sum(weights.values()), rel=1e-4)


def prompt_of(model: Any, **fields: Any) -> str:
    """What a text-to-text model is given to read."""
    (prepared,) = model.prepare([model.Input(**fields)])
    assert not isinstance(prepared, Exception)
    decoded: str = model.engine._writer.pretrained.tokenizer.decode(prepared.sequence["input_ids"])
    return decoded.removesuffix("</s>")


def test_prompts(make_model: MakeModel) -> None:
    """T5's form by default; without context where there is none."""
    model = make_model("question-answering", "t5", "generative")
    assert prompt_of(model, question="who?", context="the cat") == (
        "question: who? context: the cat"
    )
    assert prompt_of(model, question="who?", context=" ") == "question: who?"


def test_the_answer_in_what_a_model_writes(make_model: MakeModel) -> None:
    """What the pattern's group finds; all of it where the pattern finds nothing."""
    asked = {"question": "who?", "context": FILLER}
    names = ("question-answering", "t5", "generative")
    (whole,) = answers(make_model(*names, max_answer_tokens=8), asked)
    assert len(whole.answer) > 3
    (part,) = answers(make_model(*names, max_answer_tokens=8, answer_pattern=".(..)"), asked)
    assert part.answer == whole.answer[1:3].strip()
    (other,) = answers(make_model(*names, max_answer_tokens=8, answer_pattern="(#)"), asked)
    assert other.answer == whole.answer


def test_macaws_form(make_model: MakeModel) -> None:
    """Slots with names between dollar signs, in what it reads and in what it writes."""
    model = make_model(
        *("question-answering", "t5", "generative"),
        prompt="$answer$ ; $question$ = {question} ; $context$ = {context}",
        prompt_without_context="$answer$ ; $question$ = {question}",
        answer_pattern=r"\$answer\$ ?= ?([^;]*)",
    )
    engine: Any = model.engine
    assert engine._prompt("Why {context}?", "It is {question}.") == (
        "$answer$ ; $question$ = Why {context}? ; $context$ = It is {question}."
    )
    assert engine._prompt("Why?", "") == "$answer$ ; $question$ = Why?"
    assert engine._extracted("$answer$ = roots ; $mcoptions$ = (A) leaves (B) roots") == "roots"


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("model", ["t5", "bart"])
def test_the_score_is_the_mean_probability(make_model: MakeModel, model: str, beams: int) -> None:
    """Of the written tokens, as the model finds them when it reads them once more."""
    made = make_model(
        "question-answering", model, "generative", num_beams=beams, max_answer_tokens=6
    )
    engine: Any = made.engine
    (found,) = answers(made, {"question": "who?", "context": FILLER})
    (prepared,) = made.prepare([made.Input(question="who?", context=FILLER)])
    inputs = {name: torch.tensor([ids]) for name, ids in prepared.sequence.items()}
    network = engine._writer.pretrained.model
    with torch.inference_mode():
        written = network.generate(**inputs, num_beams=beams, do_sample=False, max_new_tokens=6)
        logits = network(**inputs, decoder_input_ids=written[:, :-1]).logits.log_softmax(-1)
    new = written[0, 1:].tolist()
    logs = [
        float(logits[0, at, token])
        for at, token in enumerate(new)
        if token != network.config.pad_token_id
    ]
    assert len(logs) > 1
    assert found.score == pytest.approx(math.exp(sum(logs) / len(logs)), rel=1e-3)


@pytest.mark.parametrize("model", ["t5", "bart"])
def test_a_long_context_is_cut_and_the_answer_says_so(make_model: MakeModel, model: str) -> None:
    """As much of its start is read as fits; the question is whole."""
    made = make_model("question-answering", model, "generative", max_answer_tokens=4)
    short = {"question": "who likes fish?", "context": FILLER * 2}
    long = {"question": "who likes fish?", "context": "one two " + FILLER * 50}
    assert [each.truncated for each in answers(made, short, long)] == [False, True]
    (prepared,) = made.prepare([made.Input(**long)])
    assert tiny.MOST_TOKENS - 3 <= prepared.tokens <= tiny.MOST_TOKENS
    read = prompt_of(made, **long)
    assert "who likes fish? context: one two the cat" in read.replace("<s>", "").strip()


def test_a_context_is_cut_between_letters_of_many_tokens(
    models: Path, make_model: MakeModel
) -> None:
    """A sign that the tokenizer spells out is read whole or left out."""
    folder = tiny.bart(models / "spelling")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.normalizer = tokenizers.normalizers.NFKC()
    tokenizer.save_pretrained(folder)
    assert len(tokenizer.tokenize("㏂")) > 3
    made = make_model("question-answering", "spelling", "generative", max_answer_tokens=4)
    (found,) = answers(made, {"question": "who?", "context": "㏂" * 50})
    assert found.truncated


def test_a_question_is_never_cut(make_model: MakeModel) -> None:
    """One that is too long fails alone, and says how long it may be."""
    made = make_model("question-answering", "t5", "generative", max_answer_tokens=4)
    assert "63 are possible" in failure_of(made, question="cat " * 70, context=FILLER)
    assert "63 are possible" in failure_of(made, question="cat " * 70)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("prompt = '{context}'", "must contain {question}"),
        ("prompt = '{question}'", "must contain {context}"),
        ("prompt_without_context = 'why?'", "must contain {question}"),
        ("answer_pattern = '('", "is not a regular expression"),
        ("answer_pattern = 'a'", "must have a group"),
        ("max_answer_tokens = 0", "greater than or equal to 1"),
        ("strid = 12", "strid: no such option"),
    ],
)
def test_wrong_options_are_refused_when_the_table_is_read(
    tmp_path: Path, option: str, reason: str
) -> None:
    """Naming the place, before any model is loaded."""
    table = tmp_path / "models.toml"
    table.write_text(
        f"[question-answering.x]\nmodel = './x'\n[question-answering.x.options]\n{option}"
    )
    with pytest.raises(TaskTypeError) as refused:
        task_types(Settings(models=str(table)))
    assert reason in str(refused.value)
    assert "[question-answering.x]" in str(refused.value)


def test_every_method_over_http_in_queues_of_their_own(models: Path, tmp_path: Path) -> None:
    """In the distributed queue mode: each model has a queue, and one bad question fails alone."""
    table = tmp_path / "models.toml"
    table.write_text(
        f"[question-answering]\n"
        f"finder = {{ model = '{models}/finder' }}\n"
        f"writer = {{ model = '{models}/t5', method = 'generative' }}\n"
        f"reader = {{ model = '{MINILM}', method = 'passages' }}\n"
    )
    settings = {"DONEYET_MODELS": str(table)}
    with System(queue_mode="distributed", processes=1, settings=settings) as system:
        page = "The cat sat on the mat. Paris is the capital of France. The sky is blue."
        asked = [
            {"question": "What is the capital of France?", "context": page, "model": model}
            for model in ("finder", "writer", "reader")
        ]
        reply = requests.post(
            f"{system.url}/ask_question",
            json=[*asked, {"question": "Who?"}],
            headers={"Prefer": "wait=30"},
            timeout=40,
        )
        found, written, passage, failed = reply.json()
    assert found["answer"] == page[found["start"] : found["end"]]
    assert written["done"]
    assert written["start"] is None
    assert passage["answer"] == "Paris is the capital of France."
    assert "send one" in failed["error"]["detail"]
