"""Models that cannot be loaded: what is said, and that nobody's question is lost by it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import torch
import transformers

from doneyet.client import Client
from doneyet.local.managed_process import Part
from doneyet.local.system import System
from doneyet.task_types.loading import NotLoadedError, load
from doneyet.task_types.models.engines.runtime import pretrained
from doneyet.task_types.models.engines.runtime.pretrained import Pretrained, load_pretrained
from doneyet.task_types.models.model_type import ModelEntry
from doneyet.task_types.models.models_table import TASKS
from tests.helpers import wait_until
from tests.models import tiny
from tests.models.conftest import MakeModel, answers

ROOT = Path(__file__).parents[3]


def why_not(task: str, folder: Path, **fields: Any) -> str:
    """What is said of a model that cannot be loaded."""
    with pytest.raises(NotLoadedError) as caught:
        load(TASKS[task]("x", ModelEntry(**fields, folder=folder)))
    said = str(caught.value)
    assert said.startswith(f"task type {task}/x cannot be loaded: ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("./nowhere", "there is no folder"),
        ("/no/where", "there is no folder '/no/where'"),
        ("package:no_such_package/model", "'no_such_package' is not installed here"),
        ("package:json/model", "there is no folder"),
        ("nobody/no-such-model", "check its name in the models table, or that the model hub can"),
        ("not a name!", "check its name in the models table"),
        ("encoder", "write './encoder'"),
        ("./empty", "ValueError: "),
        ("./no-weights", "'./no-weights' is not a complete model: "),
    ],
)
def test_a_model_that_is_not_there(models: Path, model: str, said: str) -> None:
    """One line that says where it was looked for and what to do."""
    (models / "empty").mkdir(exist_ok=True)
    half = models / "no-weights"
    if not half.exists():
        shutil.copytree(
            models / "encoder", half, ignore=lambda *_: ["model.safetensors"], dirs_exist_ok=True
        )
    assert said in why_not("embedding", models, model=model)


@pytest.mark.parametrize(
    ("task", "lacks"),
    [
        ("fill-mask", "AutoModelForMaskedLM it lacks the weights cls.predictions"),
        ("text-classification", "AutoModelForSequenceClassification it lacks the weights classif"),
        ("question-answering", "AutoModelForQuestionAnswering it lacks the weights qa_outputs"),
    ],
)
def test_a_model_that_was_not_trained_for_the_task(models: Path, task: str, lacks: str) -> None:
    """It is refused; random weights would make it answer, with noise."""
    assert lacks in why_not(task, models, model="./encoder")


def test_a_regression_has_no_labels(models: Path, tmp_path: Path) -> None:
    """Its number is no probability."""
    tiny.bert(
        tmp_path / "stars",
        transformers.AutoModelForSequenceClassification,
        num_labels=1,
        problem_type="regression",
    )
    assert "tells a number" in why_not("text-classification", tmp_path, model="./stars")


def test_a_device_that_is_not_there(models: Path) -> None:
    """It is named, and no other is taken in its place."""
    said = why_not("embedding", models, model="./encoder", device="cuda:99")
    assert "there is no device 'cuda:99' here; use 'auto' or 'cpu'" in said


def test_memory_that_does_not_suffice(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: moving the weights to the device takes all of it."""

    def exhausting(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20 GiB")

    monkeypatch.setattr(torch.nn.Module, "to", exhausting)
    said = why_not("embedding", models, model="./encoder")
    assert "OutOfMemoryError: CUDA out of memory. Tried to allocate 20 GiB" in said


def test_a_path_is_relative_to_the_table(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to where the worker was started."""
    monkeypatch.chdir("/")
    load(TASKS["embedding"]("x", ModelEntry(model="./encoder", folder=models)))


def test_precision_and_device_can_be_said(models: Path) -> None:
    """A processor computes in float32 unless told otherwise."""
    for dtype, expected in (("auto", torch.float32), ("bfloat16", torch.bfloat16)):
        said: dict[str, Any] = {"device": "cpu", "dtype": dtype}
        entry = ModelEntry(model="./encoder", folder=models, **said)
        loaded = load_pretrained(transformers.AutoModel, entry)
        assert (loaded.model.dtype, loaded.device.type) == (expected, "cpu")
        assert not loaded.model.training


def test_a_model_on_the_processor_keeps_freed_memory(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What that does is measured in test_kept_memory.py."""
    kept: list[bool] = []
    monkeypatch.setattr(pretrained, "keep_freed_memory", lambda: kept.append(True))
    entry = ModelEntry(model="./encoder", folder=models, device="cpu")
    load_pretrained(transformers.AutoModel, entry)
    assert kept == [True]


def longest(folder: Path, config: Any, tokenizer_says: int | None) -> int:
    """What a model with this configuration is found to read at once."""
    tiny.bert(folder, transformers.AutoModel)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if tokenizer_says is None:
        tokenizer.init_kwargs.pop("model_max_length", None)
    tokenizer.model_max_length = tokenizer_says or int(1e30)
    tokenizer.save_pretrained(folder)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    loaded: Pretrained = load_pretrained(transformers.AutoModel, ModelEntry(model=str(folder)))
    return loaded.max_tokens


SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 200,
}


@pytest.mark.parametrize(
    ("config", "tokenizer_says", "expected"),
    [
        (transformers.BertConfig(max_position_embeddings=40, **SMALL), None, 40),
        (transformers.BertConfig(max_position_embeddings=40, **SMALL), 30, 30),
        (transformers.RobertaConfig(max_position_embeddings=42, **SMALL), None, 40),
        (transformers.MPNetConfig(max_position_embeddings=42, **SMALL), None, 40),
    ],
    ids=["bert", "tokenizer", "roberta", "mpnet"],
)
def test_how_much_a_model_reads(
    tmp_path: Path, config: Any, tokenizer_says: int | None, expected: int
) -> None:
    """The tokenizer's word or the positions there are, without those behind padding's."""
    assert longest(tmp_path / "model", config, tokenizer_says) == expected


def test_names_of_weights_of_older_releases(make_model: MakeModel, models: Path) -> None:
    """`gamma` and `beta`, as the best known models have them, are no missing weights."""
    from safetensors.torch import load_file, save_file

    old = models / "old-names"
    shutil.copytree(models / "mlm", old)
    weights = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): tensor
        for name, tensor in load_file(old / "model.safetensors").items()
    }
    assert any(name.endswith("gamma") for name in weights)
    save_file(weights, old / "model.safetensors", metadata={"format": "pt"})
    new, same = (
        answers(make_model("fill-mask", model), {"text": "the [MASK] sat"})[0]
        for model in ("mlm", "old-names")
    )
    assert new == same


TABLE = '[embedding.late]\nmodel = "./late"\n'


@pytest.fixture
def waiting(redis_url: str, tmp_path: Path) -> Iterator[tuple[System, Client]]:
    """A server whose model has no files yet, and somebody who has asked it."""
    (tmp_path / "models.toml").write_text(TABLE)
    system = System(
        queue_mode="distributed",
        processes=1,
        redis_url=redis_url,
        settings={"DONEYET_MODELS": str(tmp_path / "models.toml")},
        worker_arguments=["--types", "embedding/late"],
    )
    try:
        system.start_http_server()
        with Client(system.url) as client:
            assert status(system) == "waiting"
            yield system, client
    finally:
        system.stop()


def status(system: System) -> str:
    """How the one task is; asking keeps it wanted."""
    answer = requests.post(system.url + "/embed", json={"text": "the cat"}, timeout=10).json()
    return str(answer["status"])


def worker_that_fails(system: System, *flags: str) -> str:
    """The log of a worker that must end by itself, not well."""
    command = [sys.executable, "-m", "worker", "--distributed"]
    environ = {**os.environ, **system._settings, "DONEYET_REDIS_URL": str(system._redis_url)}
    ended = subprocess.run(
        [*command, "--types", "embedding/late", *flags],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=45,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("when", ["at-start", "at-first-claim"])
def test_a_question_outlives_a_worker_that_cannot_load(
    waiting: tuple[System, Client], tmp_path: Path, models: Path, when: str
) -> None:
    """The worker says why in one line and ends; the task waits for one that can load the model."""
    system, client = waiting
    log = worker_that_fails(system, "--load-models", when)
    lines = [line for line in log.splitlines() if " INFO " not in line]
    assert len(lines) == 1, log
    assert "task type embedding/late cannot be loaded: ModelNotFoundError: './late'" in lines[0]
    load_now = requests.get(system.url + "/load/embedding/late", timeout=10).json()
    assert load_now.pop("oldest_waiting_s") >= 0
    assert not load_now.pop("paused")
    assert load_now == {"type": "embedding/late", "load": 1, "waiting": 1, "running": 0,
                        "workers": 0}  # fmt: skip
    assert status(system) == "waiting"
    shutil.copytree(models / "encoder", tmp_path / "late")
    system.start_worker()
    answer = client.run("embed", text="the cat", timeout_s=20)
    assert len(answer["vector"]) == 32
    told = requests.get(f"{system.url}/tasks/{answer['id']}", timeout=10).json()
    assert told["attempts"] == 1, "the worker that could not load it does not count"


def test_models_load_at_their_first_claim(redis_url: str, tmp_path: Path, models: Path) -> None:
    """A worker that loads late serves at once; what nobody asks is never loaded."""
    (tmp_path / "models.toml").write_text(
        f'[embedding.good]\nmodel = "{models / "encoder"}"\n[embedding.bad]\nmodel = "./nowhere"\n'
    )
    with (
        System(
            processes=1,
            redis_url=redis_url,
            settings={
                "DONEYET_MODELS": str(tmp_path / "models.toml"),
                "DONEYET_LOAD_MODELS": "at-first-claim",
            },
        ) as system,
        Client(system.url) as client,
    ):
        assert client.run("embed", text="the cat", timeout_s=30)["vector"]
        worker = system.worker
        assert isinstance(worker, Part)
        assert worker.running
        asked = {"text": "the cat", "model": "bad"}
        requests.post(system.url + "/embed", json=asked, timeout=10)
        wait_until(lambda: not worker.running, description="the worker has ended", timeout_s=20)
        assert "embedding/bad cannot be loaded" in worker.log_tail()
        later = requests.post(system.url + "/embed", json=asked, timeout=10).json()
        assert later["status"] == "waiting"
