"""Texts of which a tokenizer leaves nothing, and words that only one side knows."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import transformers

from doneyet.task_types.loading import NotLoadedError, load
from doneyet.task_types.models.engines.sentences.nearest_word import common_words
from doneyet.task_types.models.model_type import ModelEntry, ModelType
from doneyet.task_types.models.models_table import TASKS
from tests.models import tiny
from tests.models.conftest import answers

NOTHING = ["   ", "\x00\x01", "\u200b", "🙂"]
LABELS = {"labels": {"good": "good", "bad": "bad"}}


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models whose tokenizers leave out what they do not know, and put nothing around a text."""
    folder = tmp_path_factory.mktemp("silent")
    auto = transformers
    tiny.bert(folder / "encoder", auto.AutoModel)
    tiny.bert(folder / "classifier", auto.AutoModelForSequenceClassification, num_labels=3)
    tiny.bert(folder / "finder", auto.AutoModelForQuestionAnswering)
    tiny.bert(folder / "mlm", auto.AutoModelForMaskedLM)
    tiny.t5(folder / "t5")
    for each in folder.iterdir():
        special = ["[PAD]", "[MASK]", "</s>"]
        known = dict.fromkeys([*special, *tiny.WORDS, *string.ascii_lowercase])
        numbers = {word: at for at, word in enumerate(known)}
        backend = tokenizers.Tokenizer(tokenizers.models.BPE(numbers, []))
        backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=backend,
            pad_token="[PAD]",
            mask_token="[MASK]",
            eos_token="</s>",
            model_max_length=64,
        )
        tokenizer.save_pretrained(each)
    return folder


def loaded(folder: Path, task: str, method: str = "", **options: Any) -> ModelType:
    """The model in `folder`, for `task`."""
    entry = ModelEntry(model=str(folder), method=method, threads=1, options=options)
    made = TASKS[task]("x", entry)
    load(made)
    return made


ENGINES: list[tuple[str, str, str, str, dict[str, Any], dict[str, Any]]] = [
    ("embedding", "encoder", "", "text", {}, {}),
    ("text-classification", "classifier", "", "input_text", {}, {}),
    ("text-classification", "encoder", "nearest-label", "input_text", {}, LABELS),
    ("question-answering", "finder", "", "question", {"context": "the cat"}, {}),
    ("question-answering", "finder", "", "context", {"question": "the cat"}, {}),
    ("question-answering", "encoder", "passages", "question", {"context": "the cat"}, {}),
    ("question-answering", "encoder", "passages", "context", {"question": "the cat"}, {}),
    ("question-answering", "t5", "generative", "question", {"context": "the cat"}, {}),
    ("summarization", "t5", "", "context", {}, {"max_length": 4}),
    ("summarization", "encoder", "central-sentences", "context", {}, {}),
]


@pytest.mark.parametrize(
    ("task", "model", "method", "field", "given", "options"),
    ENGINES,
    ids=[f"{method or task}-{field}" for task, _, method, field, _, _ in ENGINES],
)
def test_a_text_that_the_tokenizer_leaves_nothing_of_fails_alone(
    silent: Path,
    task: str,
    model: str,
    method: str,
    field: str,
    given: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """It is said in our own words; the one beside it is answered."""
    made = loaded(silent / model, task, method, **options)
    for nothing in NOTHING:
        good, bad = answers(made, {**given, field: "the cat"}, {**given, field: nothing})
        assert not isinstance(good, Exception)
        assert isinstance(bad, ValueError)
        assert any(words in str(bad) for words in ("has no words", "send one", "but space"))


def test_a_mask_alone_has_nothing_around_it(silent: Path) -> None:
    """A model for masked words reads the mask; likeness takes words."""
    (alone,) = answers(loaded(silent / "mlm", "fill-mask"), {"text": "[MASK]"})
    assert len(alone.guesses) == 5
    near = loaded(silent / "encoder", "fill-mask", "nearest-word")
    assert "has no words" in str(answers(near, {"text": "[MASK]"})[0])


def test_special_tokens_in_a_text_are_no_fault(models: Path, silent: Path) -> None:
    """A text of nothing else has an answer, and is nobody's harm."""
    texts = ["[CLS]", "[SEP] [SEP]", "[PAD][PAD] the cat", "</s> fish </s>", "the cat"]
    for folder in (models / "encoder", models / "t5"):
        made = loaded(folder, "embedding")
        together = answers(made, *({"text": text} for text in texts))
        for text, answer in zip(texts, together, strict=True):
            (alone,) = answers(made, {"text": text})
            assert answer.vector == pytest.approx(alone.vector, abs=1e-5)
    made = loaded(models / "t5", "summarization", max_length=4)
    assert all(each.pieces == 1 for each in answers(made, *({"context": each} for each in texts)))


def test_ids_without_a_word_are_no_guesses(tmp_path: Path) -> None:
    """A model has room for more tokens than its tokenizer, so that its sizes are round."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModelForMaskedLM)
    words = len(transformers.AutoTokenizer.from_pretrained(folder))
    config = transformers.AutoConfig.from_pretrained(folder)
    config.vocab_size = words * 20
    transformers.AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    (found,) = answers(loaded(folder, "fill-mask"), {"text": "the [MASK]", "top_k": 100})
    assert len(found.guesses) == 100
    assert all(guess.token < words for guess in found.guesses)
    assert all(guess.token_str for guess in found.guesses)
    scores = [guess.score for guess in found.guesses]
    assert scores == sorted(scores, reverse=True)


def test_ids_without_a_word_are_not_written(tmp_path: Path) -> None:
    """A text of them would be empty."""
    folder = tiny.t5(tmp_path / "model")
    words = len(transformers.AutoTokenizer.from_pretrained(folder))
    config = transformers.AutoConfig.from_pretrained(folder)
    config.vocab_size = words * 20
    transformers.AutoModelForSeq2SeqLM.from_config(config).save_pretrained(folder)
    made = loaded(folder, "question-answering", "generative", max_answer_tokens=8)
    engine: Any = made.engine
    written: list[int] = []
    decode = engine._writer.pretrained.tokenizer.batch_decode

    def seeing(ids: Any, **options: Any) -> Any:
        written.extend(ids.flatten().tolist())
        return decode(ids, **options)

    engine._writer.pretrained.tokenizer.batch_decode = seeing
    answers(made, {"question": "who?", "context": "the cat"})
    assert len(written) > 2
    assert max(written) < words


def test_a_guess_of_a_blank_has_its_tokens_name(tmp_path: Path) -> None:
    """Vocabularies of pieces have one for a blank, which says nothing by itself."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModelForMaskedLM)
    pieces = [*("<pad>", "[MASK]", "▁", "▁cat", "▁the")]
    backend = tokenizers.Tokenizer(
        tokenizers.models.Unigram([(piece, -1.0) for piece in pieces], 0, False)
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    backend.decoder = tokenizers.decoders.Metaspace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", mask_token="[MASK]", model_max_length=64
    )
    tokenizer.save_pretrained(folder)
    (found,) = answers(loaded(folder, "fill-mask"), {"text": "the [MASK]", "top_k": 100})
    assert {guess.token_str for guess in found.guesses} == {"<pad>", "[MASK]", "▁", "cat", "the"}


def test_common_words_of_any_vocabulary() -> None:
    """Whole words only, in the order of their numbers, however they are marked."""
    assert common_words({"cat": 5, "dog": 2, "##ing": 3, "The": 4, "of": 1}) == [
        *((2, "dog"), (5, "cat"))
    ]
    assert common_words({"\u0120cat": 2, "ing": 1, "\u0120of": 0}) == [(2, "cat")]
    assert common_words({"\u2581cat": 2, "ing": 1, "\u2581the": 0}) == [(0, "the"), (2, "cat")]
    many = {f"word{'abcdefghij'[at]}": at for at in range(10)}
    assert len(common_words({**many, "\u2581": 99})) == 10


def test_a_vocabulary_without_words_is_refused_at_load(tmp_path: Path) -> None:
    """There is nothing that likeness could guess."""
    folder = tiny.gpt2(tmp_path / "model", transformers.AutoModel)
    with pytest.raises(NotLoadedError, match="has no words that could be guessed"):
        loaded(folder, "fill-mask", "nearest-word")
