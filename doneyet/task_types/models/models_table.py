"""The models table: one TOML file that names every model to be served.

    [question-answering.roberta]              # the task type question-answering/roberta
    model = "deepset/roberta-base-squad2"     # a hub id, a path, or package:NAME/FOLDER
    max_batch_size = 16

    [question-answering.roberta.options]      # what only this task's models know
    stride = 128

The first model of a task is the one that answers where a request names none.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from doneyet.setting_values import env_name
from doneyet.settings import Settings
from doneyet.task_types.file_permissions import why_unreadable
from doneyet.task_types.models.embedding import Embedding
from doneyet.task_types.models.fill_mask import FillMask
from doneyet.task_types.models.model_type import ModelEntry, ModelType
from doneyet.task_types.models.question_answering import QuestionAnswering
from doneyet.task_types.models.summarization import Summarization
from doneyet.task_types.models.text_classification import TextClassification
from doneyet.task_types.modules import TaskTypeError

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
    path = Path(settings.models)
    try:
        path = path.expanduser()
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, RuntimeError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = why_unreadable(path) or error
        raise TaskTypeError(
            f"the models table {settings.models!r} ({env_name('models')}) cannot be read: {reason}"
        ) from error
    return list(_entries(table, path, settings))


def _entries(table: dict[str, Any], path: Path, settings: Settings) -> Iterator[ModelType]:
    for task, models in table.items():
        kind = TASKS.get(task)
        if kind is None:
            raise TaskTypeError(
                f"{path}: {task!r} is not a task for models; there are: {', '.join(TASKS)}"
            )
        if not isinstance(models, dict):
            raise TaskTypeError(
                f"{path}: {task!r} needs a name for each model, as in [{task}.NAME]"
            )
        for name, fields in models.items():
            if not isinstance(fields, dict):
                raise TaskTypeError(
                    f"{path}: [{task}] has {name!r} outside of a model's entry, as is [{task}.NAME]"
                )
            try:
                yield _model_type(kind, name, fields, path, settings)
            except ValueError as error:
                raise TaskTypeError(f"{path}: [{task}.{name}] {error}") from error


def _model_type(
    kind: type[ModelType], name: str, fields: dict[str, Any], path: Path, settings: Settings
) -> ModelType:
    """One entry's task type.

    Raises:
        ValueError: says what is wrong with the entry.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("is not a model name; use letters, digits, '.', '_' and '-'")
    if unknown := fields.keys() - _FIELDS:
        raise ValueError(f"{min(unknown)}: no such field; there are: {', '.join(_FIELDS)}")
    try:
        entry = ModelEntry.model_validate(
            {**fields, "folder": path.parent, "processes": settings.processes.most}
        )
    except ValidationError as error:
        raise ValueError(_first_fault(error)) from error
    try:
        return kind(name, entry)
    except ValidationError as error:  # only options are validated there
        there_are = ", ".join(kind.Options.model_fields) or "none"
        raise ValueError(_first_fault(error, there_are, at="options")) from error


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FIELDS = [name for name in ModelEntry.model_fields if name not in ("folder", "processes")]


def _first_fault(error: ValidationError, there_are: str = "", at: str = "") -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, ([at] if at else []) + [*first["loc"]]))
    if first["type"] == "missing":
        return f"{where}: is required"
    if first["type"] == "extra_forbidden":
        return f"{where}: no such option; there are: {there_are}"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"
