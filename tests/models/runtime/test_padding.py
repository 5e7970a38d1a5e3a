"""A batch changes no answer: padding counts nothing, whatever tokenizer and model know of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

from doneyet.task_types.loading import NotLoadedError, load
from doneyet.task_types.models.engines.runtime.padding import cut
from doneyet.task_types.models.model_type import ModelEntry, ModelType
from doneyet.task_types.models.models_table import TASKS
from tests.models import tiny
from tests.models.conftest import answers
from tests.models.runtime.test_batching import rounded

TEXTS = ["fish", "the cat sat on the mat", "who likes the blue sky? i do not", "a"]
CLASSIFIER = transformers.AutoModelForSequenceClassification
FINDER = transformers.AutoModelForQuestionAnswering


def loaded(folder: Path, task: str, **fields: Any) -> ModelType:
    """The model in `folder`, for `task`."""
    made = TASKS[task]("x", ModelEntry(model=str(folder), threads=1, **fields))
    load(made)
    return made


def change_tokenizer(folder: Path, **config: Any) -> None:
    """Says something else in `tokenizer_config.json`."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **config)
    for name, value in config.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(folder)


def gpt2_classifier(folder: Path, **config: Any) -> Path:
    """A GPT-2 that labels texts by their last token."""
    return tiny.gpt2(folder, CLASSIFIER, num_labels=3, **config)


def left_padding(folder: Path) -> Path:
    """Models that write text come with tokenizers that pad in front."""
    tiny.gpt2(folder, transformers.AutoModel)
    change_tokenizer(folder, padding_side="left", pad_token=tiny.END)
    return folder


def last_token_pooled(folder: Path) -> Path:
    """As vectors of models that read from left to right are."""
    tiny.gpt2(folder, transformers.AutoModel)
    tiny.write(folder / "1_Pooling" / "config.json", {"pooling_mode": "lasttoken"})
    modules = [("Transformer", ""), ("Pooling", "1_Pooling")]
    tiny.write(
        folder / "modules.json",
        [{"type": f"sentence_transformers.models.{kind}", "path": path} for kind, path in modules],
    )
    return folder


def roberta(folder: Path) -> Path:
    """Its positions are counted from the tokens that are no padding."""
    return tiny.roberta(folder)


def xlnet(folder: Path) -> Path:
    """Labels texts by the last token of all, and has no limit of positions."""
    tiny.bert(folder, transformers.AutoModel)
    config = transformers.XLNetConfig(
        vocab_size=200, d_model=32, n_layer=2, n_head=2, d_inner=64, pad_token_id=0
    )
    config.num_labels = 3
    CLASSIFIER.from_config(config).save_pretrained(folder)
    return folder


def padding_unknown_to_the_model(folder: Path) -> Path:
    """The tokenizer's padding is a token that the model has no vector for."""
    tiny.gpt2(folder, transformers.AutoModel)
    change_tokenizer(folder, pad_token="[PAD]")
    return folder


def without_mask(folder: Path) -> Path:
    """The tokenizer does not say that models take a mask."""
    tiny.bert(folder, transformers.AutoModel)
    change_tokenizer(folder, model_input_names=["input_ids"])
    return folder


def with_types(folder: Path) -> Path:
    """The tokenizer tells two texts apart for a model that takes no such thing."""
    tiny.bert(folder, transformers.AutoModel)
    config = transformers.DistilBertConfig(
        vocab_size=200, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=64
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


CASES: dict[str, tuple[str, Callable[[Path], Path], Callable[[str], dict[str, Any]]]] = {
    "gpt2 vectors": (
        *("embedding", lambda folder: tiny.gpt2(folder, transformers.AutoModel)),
        lambda text: {"text": text},
    ),
    "gpt2 last token": ("embedding", last_token_pooled, lambda text: {"text": text}),
    "gpt2 labels": ("text-classification", gpt2_classifier, lambda text: {"input_text": text}),
    "gpt2 labels, end as padding": (
        *("text-classification", lambda folder: gpt2_classifier(folder, pad_token_id=256)),
        lambda text: {"input_text": text + tiny.END},
    ),
    "gpt2 spans": (
        *("question-answering", lambda folder: tiny.gpt2(folder, FINDER)),
        lambda text: {"question": "who?", "context": text},
    ),
    "padding in front": ("embedding", left_padding, lambda text: {"text": text}),
    "padding that the model lacks": (
        *("embedding", padding_unknown_to_the_model),
        lambda text: {"text": text},
    ),
    "roberta": ("fill-mask", roberta, lambda text: {"text": f"<mask> {text}"}),
    "roberta, padding in the text": (
        *("fill-mask", roberta),
        lambda text: {"text": f"<mask> <pad> {text}"},
    ),
    "xlnet": ("text-classification", xlnet, lambda text: {"input_text": text}),
    "no mask": ("embedding", without_mask, lambda text: {"text": text}),
    "types": ("embedding", with_types, lambda text: {"text": text}),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_is_the_same_alone_and_in_a_batch(tmp_path: Path, case: str) -> None:
    """Beside texts that are longer, and beside texts that are shorter."""
    task, make, asked = CASES[case]
    made = loaded(make(tmp_path / "model"), task)
    together = answers(made, *map(asked, TEXTS))
    assert len({str(each) for each in together}) > 1, "the texts' answers differ"
    for text, answer in zip(TEXTS, together, strict=True):
        (alone,) = answers(made, asked(text))
        assert rounded(answer.model_dump()) == rounded(alone.model_dump())


@pytest.mark.parametrize("end", ["", tiny.END])
def test_the_label_is_that_of_the_last_token(tmp_path: Path, end: str) -> None:
    """As transformers has it for a text alone, also where the text ends with a token of the
    tokenizer's that others take for padding."""
    folder = gpt2_classifier(tmp_path / "model")
    pipeline: Any = transformers.pipeline("text-classification", model=str(folder), device="cpu")
    texts = [text + end for text in TEXTS]
    told = answers(loaded(folder, "text-classification"), *({"input_text": each} for each in texts))
    for text, answer in zip(texts, told, strict=True):
        expected = pipeline(text, top_k=None)
        assert [each.label for each in answer.scores] == [each["label"] for each in expected]
        assert answer.score == pytest.approx(expected[0]["score"], abs=1e-5)


def test_a_model_that_ignores_padding_is_refused_at_load(tmp_path: Path) -> None:
    """FNet mixes all tokens, so that padding would be part of the text."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModel)
    config = transformers.FNetConfig(
        vocab_size=200, hidden_size=32, num_hidden_layers=1, intermediate_size=64
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    with pytest.raises(NotLoadedError, match="has no attention mask"):
        loaded(folder, "embedding")


def test_a_text_that_is_cut_keeps_what_the_tokenizer_puts_behind_it(tmp_path: Path) -> None:
    """As many special tokens as there are, and no word from the end of the text."""
    ids = {"input_ids": [1, 2, 3, 4, 5, 6]}
    assert cut(ids, 4, 0) == {"input_ids": [1, 2, 3, 4]}
    assert cut(ids, 4, 1) == {"input_ids": [1, 2, 3, 6]}
    assert cut(ids, 4, 2) == {"input_ids": [1, 2, 5, 6]}
    made = loaded(tiny.gpt2(tmp_path / "model", transformers.AutoModel), "embedding")
    fits, cut_off = answers(made, {"text": "c" * 64}, {"text": "c" * 64 + "at"})
    assert cut_off.truncated
    assert cut_off.vector == pytest.approx(fits.vector, abs=1e-5)
