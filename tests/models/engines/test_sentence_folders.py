"""Folders of sentence-transformers: what they say is done, or refused when the model is loaded."""

from __future__ import annotations

import json
import math
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
from tests.models import tiny
from tests.models.conftest import MINILM, MakeModel, answers

TEXTS = ["the cat sat on the mat.", "fish!", "who likes the blue sky? i do not. one two three"]

Vectors = Callable[[torch.Tensor], torch.Tensor]

WHAT: dict[str, tuple[dict[str, Any], Vectors]] = {
    "cls": ({"pooling_mode_cls_token": True}, lambda tokens: tokens[0]),
    "max": ({"pooling_mode_max_tokens": True}, lambda tokens: tokens.max(dim=0).values),
    "mean": ({"pooling_mode_mean_tokens": True}, lambda tokens: tokens.mean(dim=0)),
    "sqrt": (
        {"pooling_mode_mean_sqrt_len_tokens": True},
        lambda tokens: tokens.sum(dim=0) / math.sqrt(len(tokens)),
    ),
    "weighted": (
        {"pooling_mode_weightedmean_tokens": True},
        lambda tokens: (
            sum(((at + 1) * token for at, token in enumerate(tokens)), torch.zeros(tokens.shape[1]))
            / (len(tokens) * (len(tokens) + 1) / 2)
        ),
    ),
    "last": ({"pooling_mode_lasttoken": True}, lambda tokens: tokens[-1]),
    "several": (
        {"pooling_mode_max_tokens": True, "pooling_mode_cls_token": True},
        lambda tokens: torch.cat([tokens[0], tokens.max(dim=0).values]),
    ),
    "newer name": ({"pooling_mode": "cls"}, lambda tokens: tokens[0]),
    "newer names": (
        {"pooling_mode": ["mean", "cls"], "embedding_dimension": 32, "include_prompt": True},
        lambda tokens: torch.cat([tokens.mean(dim=0), tokens[0]]),
    ),
    "none": ({"pooling_mode_cls_token": False}, lambda tokens: tokens.mean(dim=0)),
}


def embedder(folder: Path, **options: Any) -> ModelType:
    """The model in `folder`, loaded."""
    made = TASKS["embedding"]("x", ModelEntry(model=str(folder), threads=1, options=options))
    load(made)
    return made


def vectors_of(model: ModelType, *texts: str) -> list[list[float]]:
    """As one batch."""
    return [answer.vector for answer in answers(model, *({"text": text} for text in texts))]


def tokens_of(folder: Path, text: str) -> torch.Tensor:
    """What the transformer makes of each token: (tokens, size), by transformers alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        hidden: torch.Tensor = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    return hidden


def unit(vector: torch.Tensor) -> Any:
    """`vector` made 1 long, to be compared."""
    return pytest.approx((vector / vector.norm()).tolist(), abs=1e-5)


@pytest.mark.parametrize("what", WHAT)
def test_tokens_are_pooled_as_the_folder_says(tmp_path: Path, what: str) -> None:
    """Padding left out, so that a batch changes nothing."""
    config, expected = WHAT[what]
    folder = tiny.sentence_model(tmp_path / "model", config)
    found = vectors_of(embedder(folder), *TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        assert vector == unit(expected(tokens_of(folder, text)))


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_layers_follow_the_pooling(tmp_path: Path, form: str) -> None:
    """In the order of the folder: made 1 long, then a linear layer with its activation."""
    dense = {
        "in_features": 32,
        "out_features": 8,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }
    folder = tiny.sentence_model(
        tmp_path / "model", WHAT["cls"][0], ("Normalize", {}), ("Dense", dense), ("Dropout", {})
    )
    torch.manual_seed(1)
    weights = {"linear.weight": torch.randn(8, 32), "linear.bias": torch.randn(8)}
    if form == "bin":
        torch.save(weights, folder / "3_Dense" / "pytorch_model.bin")
    else:
        safetensors.torch.save_file(weights, folder / "3_Dense" / "model.safetensors")
    for text, vector in zip(TEXTS, vectors_of(embedder(folder), *TEXTS), strict=True):
        pooled = tokens_of(folder, text)[0]
        made = weights["linear.weight"] @ (pooled / pooled.norm()) + weights["linear.bias"]
        assert vector == unit(made.tanh())


def test_the_transformer_may_have_a_folder_of_its_own(tmp_path: Path) -> None:
    """With its limit and its letters."""
    folder = tiny.sentence_model(
        tmp_path / "model",
        WHAT["cls"][0],
        nested="0_Transformer",
        sentence_bert_config={"max_seq_length": 5, "do_lower_case": False},
    )
    (found,) = answers(embedder(folder), {"text": "the cat sat on the mat."})
    assert (found.tokens, found.truncated) == (5, True)
    assert found.vector == unit(tokens_of(folder / "0_Transformer", "the cat sat")[0])


def test_letters_are_made_small_if_the_folder_says_so(tmp_path: Path) -> None:
    """Whatever the tokenizer would do."""
    vectors = []
    for at, small in enumerate((True, False)):
        folder = tiny.sentence_model(
            tmp_path / f"model{at}",
            WHAT["mean"][0],
            sentence_bert_config={"max_seq_length": 64, "do_lower_case": small},
        )
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "do_lower_case": False}))
        vectors.append(vectors_of(embedder(folder), "the CAT", "the cat"))
    assert vectors[0][0] == pytest.approx(vectors[0][1])
    assert vectors[1][0] != pytest.approx(vectors[1][1], abs=0.01)


PROMPTS = {"query": "who likes ", "document": "", "topic": "the number "}


@pytest.mark.parametrize("pooled", [True, False])
def test_the_default_prompt_is_put_before_texts(tmp_path: Path, pooled: bool) -> None:
    """Its own tokens are pooled, too, unless the folder says otherwise."""
    folder = tiny.sentence_model(
        tmp_path / "model",
        {**WHAT["mean"][0], "include_prompt": pooled},
        config_sentence_transformers={"prompts": PROMPTS, "default_prompt_name": "query"},
    )
    tokens = tokens_of(folder, "who likes fish!")
    expected = tokens if pooled else tokens[3:]  # [CLS] who likes
    assert len(tokens) == 6
    short, *_ = vectors_of(embedder(folder), "fish!", "the cat sat on the mat.")
    assert short == unit(expected.mean(dim=0))


def test_questions_and_passages_have_their_prompts(tmp_path: Path) -> None:
    """A retrieval model is asked with the prompt for what is looked for."""
    folder = tiny.sentence_model(
        tmp_path / "model",
        WHAT["mean"][0],
        config_sentence_transformers={
            "prompts": {"query": "who likes ", "document": "the number "}
        },
    )
    made = TASKS["question-answering"](
        "x", ModelEntry(model=str(folder), method="passages", threads=1)
    )
    load(made)
    (found,) = answers(made, {"question": "fish", "context": "one two."})
    question = tokens_of(folder, "who likes fish").mean(dim=0)
    passage = tokens_of(folder, "the number one two.").mean(dim=0)
    assert found.score == pytest.approx(
        float(torch.cosine_similarity(question, passage, dim=0)), abs=1e-5
    )


REFUSED: dict[str, tuple[str, Any]] = {
    "pooling_mode_new_token = True": ("1_Pooling/config.json", {"pooling_mode_new_token": True}),
    "pools by 'median'": ("1_Pooling/config.json", {"pooling_mode": "median"}),
    "1_Pooling/config.json has another form": ("1_Pooling/config.json", []),
    "modules.json is not JSON": ("modules.json", "["),
    "has other steps than a transformer first": ("modules.json", []),
    "has the step {'type': 'my.Pooling', 'path': ''}": (
        "modules.json",
        [{"type": "my.Pooling", "path": ""}],
    ),
    "has a step of the kind CNN": (
        "modules.json",
        [
            {"type": "sentence_transformers.models.Transformer", "path": ""},
            {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
            {"type": "sentence_transformers.models.CNN", "path": "1_Pooling"},
        ],
    ),
    "says that this is a SparseEncoder": (
        "config_sentence_transformers.json",
        {"model_type": "SparseEncoder"},
    ),
    "has the default prompt 'x', which is none": (
        "config_sentence_transformers.json",
        {"default_prompt_name": "x"},
    ),
    "says tokenizer_args = {'padding_side': 'left'}": (
        "sentence_bert_config.json",
        {"tokenizer_args": {"padding_side": "left"}},
    ),
    "a prompt of": (
        "config_sentence_transformers.json",
        {"prompts": {"query": "cat " * 99}},
    ),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_not_understood_is_refused_at_load(tmp_path: Path, said: str) -> None:
    """In one line that names the file; never left out without a word."""
    folder = tiny.sentence_model(tmp_path / "model", WHAT["cls"][0])
    name, content = REFUSED[said]
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text)
    with pytest.raises(NotLoadedError) as refused:
        embedder(folder)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"activation_function": "my_code.Activation"}, "has the activation function 'my_code"),
        ({"module_input_name": "token_embeddings"}, "changes something else"),
        ({"gate": 3}, "says gate = 3"),
        ({}, "3_Dense has no weights"),
    ],
)
def test_layers_that_are_not_understood(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """Likewise."""
    dense = {"in_features": 32, "out_features": 8, **change}
    folder = tiny.sentence_model(
        tmp_path / "model", WHAT["cls"][0], ("Normalize", {}), ("Dense", dense)
    )
    with pytest.raises(NotLoadedError) as refused:
        embedder(folder)
    assert said in str(refused.value)


def test_the_installed_model_is_read_whole(make_model: MakeModel) -> None:
    """It says mean, and 256 tokens."""
    engine: Any = make_model("embedding", MINILM, max_tokens=400).engine
    assert engine._vectors.folder.pooling == ("mean",)
    assert engine._vectors.max_tokens == 256


def test_of_t5_the_encoder_alone_makes_vectors(models: Path) -> None:
    """Its decoder would want a text to go on."""
    found = vectors_of(embedder(models / "t5"), *TEXTS)
    network = transformers.T5EncoderModel.from_pretrained(models / "t5").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(models / "t5")
    with torch.inference_mode():
        hidden = network(**tokenizer(TEXTS[0], return_tensors="pt")).last_hidden_state[0]
    assert found[0] == unit(hidden.mean(dim=0))
