"""What a model has no positions or tokens for is capped or refused, and never reaches a device."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import transformers

from doneyet.task_types.loading import NotLoadedError, load
from doneyet.task_types.models.engines.runtime.positions import MOST_WITHOUT_LIMIT
from doneyet.task_types.models.model_type import ModelEntry, ModelType
from doneyet.task_types.models.models_table import TASKS
from tests.models import tiny
from tests.models.conftest import answers

LONG = "The cat sat on the mat. Who likes fish? We like the blue sky and the number ten. " * 6
ENDLESS: dict[str, Any] = {"forced_eos_token_id": None}


def loaded(folder: Path, task: str, method: str = "", **options: Any) -> ModelType:
    """The model in `folder`, for `task`."""
    entry = ModelEntry(model=str(folder), method=method, threads=1, options=options)
    made = TASKS[task]("x", entry)
    load(made)
    return made


def change(folder: Path, name: str, **config: Any) -> Path:
    """Says something else in one of the model's JSON files."""
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return folder


def never_ends(folder: Path, make: Any, **config: Any) -> Path:
    """A model whose texts end where they must: its ending is made impossible."""
    make(folder, **config)
    return change(folder, "generation_config.json", suppress_tokens=[2], forced_eos_token_id=None)


@pytest.mark.parametrize("make", [tiny.bart, tiny.led], ids=["bart", "led"])
def test_a_text_ends_where_the_decoder_has_no_more_positions(
    tmp_path: Path, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """With the default options, of which the log says so once; 64 positions make 64 tokens."""
    folder = never_ends(tmp_path / "model", make)
    made = loaded(folder, "summarization")
    assert "writes at most 64 tokens at once, not 142" in caplog.text
    written: list[int] = []
    engine: Any = made.engine
    decode = engine._writer.pretrained.tokenizer.batch_decode

    def counting(ids: Any, **options: Any) -> Any:
        written.append(ids.shape[1] - 1)
        return decode(ids, **options)

    engine._writer.pretrained.tokenizer.batch_decode = counting
    told = answers(made, {"context": LONG}, {"context": "The cat.", "max_length": 4000})
    assert all(answer.summary for answer in told)
    assert set(written) == {64}


def test_an_answer_ends_there_too(tmp_path: Path) -> None:
    """Also where it is read once more, for its score."""
    folder = never_ends(tmp_path / "model", tiny.bart)
    made = loaded(folder, "question-answering", "generative", max_answer_tokens=1000)
    (found,) = answers(made, {"question": "who?", "context": "The cat."})
    assert 0 < found.score <= 1


def test_relative_positions_have_no_end(tmp_path: Path) -> None:
    """T5 writes as many tokens as it is asked for."""
    made = loaded(tiny.t5(tmp_path / "model"), "summarization", max_length=200)
    engine: Any = made.engine
    assert engine._writer.most_tokens == sys.maxsize


def test_a_least_length_that_cannot_be_is_a_failure(tmp_path: Path) -> None:
    """It names both numbers; others in the batch are answered."""
    made = loaded(tiny.bart(tmp_path / "model"), "summarization", max_length=20)
    good, more, most = answers(
        made,
        {"context": "The cat."},
        {"context": "The cat.", "min_length": 21},
        {"context": "The cat.", "min_length": 100, "max_length": 200},
    )
    assert good.summary
    assert "min_length 21 is more than the 20 tokens" in str(more)
    assert "min_length 100 is more than the 64 tokens" in str(most)


@pytest.mark.parametrize(
    ("says", "reads"),
    [
        ({"model_max_length": 4000}, 64),
        ({"model_max_length": int(1e30)}, 64),
        ({"model_max_length": 20}, 20),
    ],
)
def test_an_encoder_reads_what_it_has_positions_for(
    tmp_path: Path, says: dict[str, int], reads: int
) -> None:
    """Whatever the tokenizer says; the answer says that the text was cut."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModel)
    change(folder, "tokenizer_config.json", **says)
    (found,) = answers(loaded(folder, "embedding"), {"text": "cat " * 900})
    assert (found.tokens, found.truncated) == (reads, True)


@pytest.mark.parametrize("pad_id", [0, 1])
def test_positions_behind_paddings(tmp_path: Path, pad_id: int) -> None:
    """RoBERTa counts from behind its padding's number, also where that is 0."""
    folder = tiny.roberta(tmp_path / "model")
    config = transformers.RobertaConfig(
        vocab_size=200,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=40,
        pad_token_id=pad_id,
    )
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    (found,) = answers(loaded(folder, "embedding"), {"text": "cat " * 900})
    assert found.tokens == 39 - pad_id


def test_a_pair_of_models_has_the_limits_of_both(tmp_path: Path) -> None:
    """An encoder and a decoder that were models of their own."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModel)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    encoder, decoder = (
        transformers.BertConfig(vocab_size=200, max_position_embeddings=count, **sizes)
        for count in (30, 16)
    )
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 2, 0, 3
    model = transformers.EncoderDecoderModel(config=config)
    model.generation_config.decoder_start_token_id = 2
    model.generation_config.suppress_tokens = [3]
    model.save_pretrained(folder)
    change(folder, "tokenizer_config.json", model_max_length=512)
    engine: Any = (made := loaded(folder, "summarization", max_length=100)).engine
    assert (engine._writer.pretrained.max_tokens, engine._writer.most_tokens) == (30, 16)
    assert answers(made, {"context": LONG})[0].pieces > 4


def test_without_any_limit_memory_is_one(tmp_path: Path) -> None:
    """A text of a million words would be one matrix of a million times a million."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModel)
    config = transformers.XLNetConfig(vocab_size=200, d_model=32, n_layer=1, n_head=2, d_inner=64)
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    change(folder, "tokenizer_config.json", model_max_length=int(1e30))
    engine: Any = loaded(folder, "text-classification").engine
    assert engine.pretrained.max_tokens == MOST_WITHOUT_LIMIT


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"forced_bos_token_id": 5000}, "forced_bos_token_id 5000, and has"),
        ({"forced_eos_token_id": [2, 999]}, "forced_eos_token_id 999"),
        ({"bad_words_ids": [[3], [4, 777]]}, "bad_words_ids 777"),
        ({"decoder_start_token_id": -4}, "decoder_start_token_id -4"),
        (
            {"decoder_start_token_id": None, "bos_token_id": None},
            "does not say with which token its texts begin",
        ),
    ],
)
def test_tokens_that_the_model_lacks_are_refused_at_load(
    tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    """Generating would look them up."""
    folder = tiny.bart(tmp_path / "model")
    change(folder, "generation_config.json", **config)
    if None in config.values():
        change(folder, "config.json", **config)
    with pytest.raises(NotLoadedError, match=r"correct its|with which token") as refused:
        loaded(folder, "summarization")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "config",
    [
        {"num_return_sequences": 2, "num_beams": 2},
        {"return_dict_in_generate": True, "output_scores": True},
    ],
    ids=["several texts", "more than the text"],
)
def test_a_model_may_prefer_other_results(tmp_path: Path, config: dict[str, Any]) -> None:
    """Each input has one text."""
    folder = tiny.bart(tmp_path / "model")
    change(folder, "generation_config.json", **config)
    made = loaded(folder, "question-answering", "generative", max_answer_tokens=4)
    asked = {"question": "who?", "context": "The cat."}
    assert len({answer.answer for answer in answers(made, asked, asked)}) == 1


def test_a_model_that_has_no_room_for_a_text(tmp_path: Path) -> None:
    """Special tokens alone would fill it."""
    folder = tiny.bert(tmp_path / "model", transformers.AutoModel)
    change(folder, "tokenizer_config.json", model_max_length=2)
    with pytest.raises(NotLoadedError, match="reads 2 tokens at once, which leaves none"):
        loaded(folder, "embedding")
