"""Which task types are served: those that settings name, else the built-in and installed ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from types import ModuleType
from typing import TypeVar

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings
from doneyet.task_types.attributes import check_attributes
from doneyet.task_types.base import TaskType
from doneyet.task_types.job import Job
from doneyet.task_types.modules import TaskTypeError, import_tasks, place_and_reason
from doneyet.task_types.task_id import type_tag

EXAMPLES = {"factorization": "flint", "regression": "numpy"}
"""The built-in types that are served where nothing is named, and the package that workers need."""
MODELS_TABLE = "doneyet.task_types.models.models_table"
Made = TypeVar("Made")

ENTRY_POINT_GROUP = "doneyet.tasks"


@dataclass(frozen=True)
class Registry:
    """The task types of one process, by name; the first one of an endpoint is its default."""

    types: dict[str, TaskType]

    @cached_property
    def endpoints(self) -> dict[str, list[TaskType]]:
        """Task types by the endpoint that they are asked at."""
        found: dict[str, list[TaskType]] = {}
        for task_type in self.types.values():
            found.setdefault(task_type.endpoint, []).append(task_type)
        return found

    @cached_property
    def _by_tag(self) -> dict[str, TaskType]:
        return {type_tag(name): task_type for name, task_type in self.types.items()}

    def of_task(self, task_id: str) -> TaskType | None:
        """The task type that `task_id` belongs to; None where no type here has such ids."""
        return self._by_tag.get(task_id[: len(type_tag(""))])

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """The task types that supervisors answer."""
        return {name: kind for name, kind in self.types.items() if isinstance(kind, Job)}

    @cached_property
    def limits(self) -> dict[str, TaskType]:
        """All types that are ever asked: also those that only tell whether answers still hold."""
        checks = (job.rechecked_by for job in self.jobs.values())
        return {**self.types, **{check.name: check for check in checks if check is not None}}

    @cached_property
    def run_by_processes(self) -> Registry:
        """The registry of the task types that worker processes answer."""
        return Registry({name: self.types[name] for name in self.types if name not in self.jobs})

    def only(self, names: Iterable[str]) -> Registry:
        """The registry restricted to `names`.

        Raises:
            TaskTypeError: a name that is not here.
        """
        chosen = list(names)
        for name in chosen:
            if name not in self.types:
                raise TaskTypeError(
                    f"there is no task type {name!r}; there are: {', '.join(self.types)}"
                )
        return Registry({name: self.types[name] for name in chosen})


def load_registry(settings: Settings) -> Registry:
    """The task types that `settings` name, ready but not loaded.

    Those of `tasks` and of the models table, and file-to-file jobs where there is storage. Where
    neither tasks nor models are named, the built-in examples and those of installed packages.

    Raises:
        TaskTypeError: a module cannot be imported, or a task type is not usable.
    """
    made = (kind for module in _modules(settings) for kind in _types_in(module, settings))
    return registry_of(made, settings)


def registry_of(task_types: Iterable[TaskType], settings: Settings) -> Registry:
    """`task_types`, checked, with the limits that `settings` have where a type leaves them open.

    Raises:
        TaskTypeError: one is not usable.
    """
    types: dict[str, TaskType] = {}
    for task_type in task_types:
        if isinstance(task_type, Job) and settings.queue_mode == "synchronous":
            continue  # there is no supervisor that could run it
        check_attributes(task_type)
        if task_type.name in types:
            raise TaskTypeError(f"two task types are called {task_type.name!r}")
        types[task_type.name] = task_type
        _fill_in(task_type, settings)
    return Registry(types)


def _modules(settings: Settings) -> Iterator[ModuleType]:
    installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    names = [name.strip() for name in settings.tasks.split(",") if name.strip()]
    if not names and not settings.models:
        names = [*EXAMPLES, *installed]
    if "batch" in names and not settings.storage:
        raise TaskTypeError(f"the task types 'batch' need {env_name('storage')}")
    if settings.models:
        names.append(MODELS_TABLE)
    if settings.storage:
        names.append("batch")
    for name in dict.fromkeys(names):
        yield import_tasks(name, installed)


def _types_in(module: ModuleType, settings: Settings) -> Iterable[TaskType]:
    """What the module's `task_types(settings)` gives, else one of each `TaskType` defined in it.

    A class whose name begins with `_` is a base of others.
    """
    if hasattr(module, "task_types"):
        what = f"{module.__name__}.task_types(settings)"
        made = _made(what, lambda: list(module.task_types(settings)))
        for each in made:
            if not isinstance(each, TaskType):
                raise TaskTypeError(f"{what} must give TaskType objects, not {each!r:.80}")
        return made
    classes = [
        member
        for member in vars(module).values()
        if inspect.isclass(member)
        and issubclass(member, TaskType)
        and member.__module__ == module.__name__
        and not member.__name__.startswith("_")
    ]
    if not classes:
        raise TaskTypeError(
            f"the module {module.__name__!r} defines no TaskType and no task_types(settings)"
        )
    return [_made(f"{member.__name__}()", member) for member in classes]


def _made(what: str, make: Callable[[], Made]) -> Made:
    """What somebody's code makes.

    Raises:
        TaskTypeError: it raised something; says where and why in one line.
    """
    try:
        return make()
    except (TaskTypeError, SettingError):
        raise  # it says what to do
    except (Exception, SystemExit) as error:
        raise TaskTypeError(f"{what} cannot be made: {place_and_reason(error)}") from error


def _fill_in(task_type: TaskType, settings: Settings) -> None:
    """Settings stand in for the limits that the type leaves open."""
    for name in ("input_ttl_s", "result_ttl_s", "failure_ttl_s", "max_attempts", "max_load"):
        if getattr(task_type, name) is None:
            setattr(task_type, name, getattr(settings, name))
    if not task_type.description:
        task_type.description = (inspect.getdoc(type(task_type)) or "").split("\n", 1)[0]
