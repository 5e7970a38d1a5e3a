"""Whether the models of a task type leave doneyet its names, and inputs survive being JSON."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from pydantic import AliasChoices, AliasPath, BaseModel

from doneyet.task_types.base import RESERVED_FIELDS, TaskType
from doneyet.task_types.error_text import described
from doneyet.task_types.schemas.canonical_json import same
from doneyet.task_types.schemas.field_names import all_read_names, written_names
from doneyet.task_types.schemas.model_traits import traits


def fault_of(task_type: TaskType) -> str | None:
    """What is wrong with the models of `task_type`, for its author; None where nothing is."""
    echoed = written_names(task_type.Input, task_type.echo)
    outputs = written_names(task_type.Output)
    return (
        _fault("Input", task_type.Input)
        or _fault("Output", task_type.Output)
        or _taken(set(written_names(task_type.Input)) | all_read_names(task_type.Input))
        or _taken(set(outputs))
        or _unreadable(task_type.Input)
        or _changing(task_type.Input)
        or _both(set(echoed) & set(outputs))
    )


def _fault(name: str, model: type[BaseModel]) -> str | None:
    for written, times in Counter(written_names(model)).items():
        if times > 1:
            return f"two fields of {name} are written as {written!r}"
    return None


def _taken(names: set[str]) -> str | None:
    taken = RESERVED_FIELDS & names
    return f"the field name {min(taken)!r} is doneyet's own" if taken else None


def _both(names: set[str]) -> str | None:
    return f"{min(names)!r} is both an echoed input and an output" if names else None


def _unreadable(model: type[BaseModel]) -> str | None:
    """A worker gets an input as JSON: what that leaves out, `run` never sees."""
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        if any(isinstance(choice, AliasPath) for choice in choices):
            return f"the alias of Input.{name} is a path; give a name, or validate a nested model"
    if hidden := traits(model).hidden:
        return (
            f"Input.{hidden[0]} is left out of JSON, or masked there (exclude, SecretStr): `run` "
            "would not see it, and inputs that differ in it would be one task"
        )
    if once := traits(model).read_once:
        return (
            f"Input.{once[0]} can be read once (Iterable, Generator), and is before `run` "
            "gets it; make it a list"
        )
    return None


def _changing(model: type[BaseModel], seen: frozenset[type[BaseModel]] = frozenset()) -> str | None:
    """Equal inputs are one task, so a default must be the same each time."""
    for name, field in model.model_fields.items():
        factory = field.default_factory
        if factory is not None and not field.default_factory_takes_validated_data:
            try:
                first, second = (field.get_default(call_default_factory=True) for _ in range(2))
            except Exception as error:
                return f"the default of {model.__name__}.{name} raises {described(error)}"
            if not same(first, second):
                return (
                    f"the default of {model.__name__}.{name} is another each time, and with it the "
                    "task: clients that ask again would never meet their answer; make it a "
                    "constant, or have `run` choose"
                )
        for nested in _models_in(field.annotation):
            if nested not in seen and (fault := _changing(nested, seen | {model, nested})):
                return fault
    return None


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """The models that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
