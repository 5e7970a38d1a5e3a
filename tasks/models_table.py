"""The models table: one TOML file that names every model to be served.

    [question-answering.roberta]              # the task type question-answering/roberta
    model = "deepset/roberta-base-squad2"     # a hub id, a path, or package:NAME/FOLDER
    max_batch_size = 16

    [question-answering.roberta.options]      # what only this task's models know
    stride = 128

The first model of a task is the one that answers where a request names none.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from settings import Settings, env_name
from tasks.embedding import Embedding
from tasks.fill_mask import FillMask
from tasks.model_type import ModelEntry, ModelType
from tasks.question_answering import QuestionAnswering
from tasks.registry import TaskTypeError
from tasks.summarization import Summarization
from tasks.text_classification import TextClassification

TASKS: dict[str, type[ModelType]] = {
    kind.task: kind
    for kind in (QuestionAnswering, Summarization, FillMask, TextClassification, Embedding)
}
"""What models may be used for, by the name that the table has for it."""


def task_types(settings: Settings) -> list[ModelType]:
    """One task type per model that the table names, in its order; none without a table.

    Raises:
        TaskTypeError: the file cannot be read, or says something that makes no sense; names the
            place.
    """
    if not settings.models:
        return []
    path = Path(settings.models).expanduser()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TaskTypeError(
            f"the models table {settings.models!r} ({env_name('models')}) cannot be read: {error}"
        ) from error
    return list(_entries(table, path, settings))


def _entries(table: dict[str, Any], path: Path, settings: Settings) -> Iterator[ModelType]:
    for task, models in table.items():
        kind = TASKS.get(task)
        if kind is None or not isinstance(models, dict):
            raise TaskTypeError(
                f"{path}: [{task}] is no task that models do; there are: {', '.join(TASKS)}"
            )
        for name, fields in models.items():
            place = f"[{task}.{name}]"
            if not isinstance(fields, dict):
                raise TaskTypeError(f"{path}: {place} must be a table; it lacks its model's name")
            try:
                entry = ModelEntry.model_validate(
                    {**fields, "folder": path.parent, "processes": settings.processes}
                )
                yield kind(name, entry)
            except ValidationError as error:
                raise TaskTypeError(f"{path}: {place} {_first_fault(error)}") from error
            except ValueError as error:
                raise TaskTypeError(f"{path}: {place} {error}") from error


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]
