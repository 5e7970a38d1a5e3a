"""Inputs on their way to `run`: validated, prepared and priced, each by itself."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from doneyet.task_types.base import TaskType
from doneyet.task_types.error_text import described

log = logging.getLogger(__name__)

MOST_COST = 1e12
"""Most that one input may cost: costs are added up, and none may be lost in the sum."""


class Ready(NamedTuple):
    """One input on its way to `run`: as it was validated, and what `prepare` made of it."""

    item: Any
    """The `Input`; None where it could not be validated."""
    prepared: Any
    """What `run` gets; an exception where the input is refused."""
    id: str = ""
    """The task's; empty where there is none."""
    text: bytes = b""
    """The canonical JSON that it was made of, and is made of again for another `run`."""
    echo: bytes = b"{}"
    """What the answer repeats, written before anybody could change `item`."""


def make_ready(
    task_type: TaskType, inputs: Sequence[bytes], ids: Sequence[str] | None = None
) -> list[Ready]:
    """Each canonical JSON input validated and prepared, in order; never raises.

    `ids` of the inputs' tasks are for `run`'s context, and for the log.
    """
    ids = ids or [""] * len(inputs)
    ready = [
        _validated(task_type, text, task_id) for text, task_id in zip(inputs, ids, strict=True)
    ]
    if type(task_type).prepare is TaskType.prepare:
        return ready
    good = [place for place, each in enumerate(ready) if each.item is not None]
    try:
        returned = task_type.prepare([ready[place].item for place in good]) if good else []
        made = as_many(f"{task_type.name}.prepare", returned, "items", len(good))
    except WrongFormError as error:
        log.error(str(error))
        made = [RuntimeError(str(error))] * len(good)
    except BaseException as error:  # also what is meant to end a process: it is somebody's input
        if len(good) > 1:
            for place in good:  # each alone, and new: `prepare` may have changed it
                (ready[place],) = make_ready(task_type, [inputs[place]], [ids[place]])
            return ready
        made = [let_go(error)]
    for place, prepared in zip(good, made, strict=True):
        ready[place] = ready[place]._replace(prepared=prepared)
    return ready


def _validated(task_type: TaskType, text: bytes, task_id: str) -> Ready:
    try:
        item = task_type.from_canonical(text)
        return Ready(item, item, task_id, text, task_type.echo_json(item))
    except BaseException as error:  # a validator of its own may raise anything
        return Ready(None, let_go(error), task_id, text)


def echo_of(task_type: TaskType, text: bytes) -> bytes:
    """What the answer to the canonical input `text` repeats; `{}` where the type cannot tell."""
    return _validated(task_type, text, "").echo


def priced(task_type: TaskType, ready: Ready) -> tuple[Ready, float]:
    """`ready` and what it costs; refused, and 0, where that cannot be told; never raises."""
    if isinstance(ready.prepared, BaseException):
        return ready, 0.0  # it is refused before anything runs
    try:
        cost: Any = task_type.cost(ready.prepared)
    except BaseException as error:  # also what is meant to end a process: it is somebody's input
        log.warning("%s.cost raised %s", task_type.name, described(error))
        return ready._replace(prepared=let_go(error)), 0.0
    try:
        number = math.nan if isinstance(cost, str | bytes) else float(cost)
    except BaseException:
        number = math.nan
    if 0 <= number <= MOST_COST:
        return ready, number
    wrong = (
        f"{task_type.name}.cost gave {_shown(cost)}; it must give a number from 0 to {MOST_COST:g}"
    )
    return ready._replace(prepared=RuntimeError(wrong)), 0.0


class WrongFormError(Exception):
    """Raised when a task type's method gives no list of the right length; says so."""


def as_many(who: str, returned: Any, what: str, count: int) -> list[Any]:
    """`returned`, which should be `count` things, as a list.

    Raises:
        WrongFormError: it is not.
    """
    if type(returned) is list and len(returned) == count:
        return returned  # as nearly always
    if isinstance(returned, str | bytes) or not isinstance(returned, Iterable):
        raise WrongFormError(f"{who} gave {type(returned).__name__}, and no list of {what}")
    given = list(islice(returned, count + 1))  # it may go on for ever
    if len(given) == count:
        return given
    number = "more" if len(given) > count else f"{len(given)}"
    raise WrongFormError(f"{who} gave {number} {what} for {count} inputs")


def let_go(error: BaseException) -> BaseException:
    """`error` without the frames in which it, and what led to it, was raised."""
    seen: BaseException | None = error
    for _ in range(100):  # an error may lead to itself
        if seen is None:
            break
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    return error


def _shown(value: object) -> str:
    """`value` in a few characters, whatever it is."""
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a huge int"  # whose digits Python may refuse to write
    try:
        return repr(value)[:40] if isinstance(value, int | float | str) else type(value).__name__
    except BaseException:
        return type(value).__name__
