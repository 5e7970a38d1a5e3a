"""Loading task types: at start, or each at its first claim."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable
from weakref import WeakSet

from doneyet.task_types import TaskType
from doneyet.task_types.modules import how_to_install
from doneyet.task_types.run_batch import run_batch
from doneyet.task_types.schemas.parse_input import FaultyTypeError, InvalidInputError, asked

log = logging.getLogger(__name__)

_loaded: WeakSet[TaskType] = WeakSet()


class NotLoadedError(Exception):
    """Raised when a task type cannot be loaded; says which and why, in one line."""


def load_all(task_types: Iterable[TaskType]) -> None:
    """Loads each and warms it up.

    Raises:
        NotLoadedError: one cannot be loaded.
    """
    gc.freeze()  # what was imported: the search below is for what models leave
    for task_type in task_types:
        load(task_type)
    gc.collect()
    gc.freeze()  # models stay: later collections need not look at them again


def load(task_type: TaskType) -> None:
    """Loads `task_type` and warms it up, unless that was done in this process.

    Raises:
        NotLoadedError: it cannot be loaded.
    """
    if is_loaded(task_type):
        return
    try:
        task_type.load()
    except (Exception, SystemExit) as error:
        log.debug("where it failed", exc_info=error)
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise NotLoadedError(
            f"task type {task_type.name} cannot be loaded: {reason}{how_to_install(error)}"
        ) from error
    _warm_up(task_type)
    _loaded.add(task_type)


def is_loaded(task_type: TaskType) -> bool:
    """Whether `load` was called for it in this process."""
    return task_type in _loaded


def _warm_up(task_type: TaskType) -> None:
    """Runs the type's example, so that the first real input does not pay for lazy set-up."""
    if not task_type.example:
        return
    try:
        example = asked([task_type], dict(task_type.example)).canonical
    except (InvalidInputError, FaultyTypeError) as error:
        log.warning("the example of %s is no input: %s", task_type.name, error)
        return
    answer = run_batch(task_type, [example])[0]
    if not answer.done:
        log.warning("the example of %s fails: %s", task_type.name, answer.body.decode())
