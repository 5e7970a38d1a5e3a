"""Running a batch so that one bad input never fails its batch-mates."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from doneyet.task_types.base import RESERVED_FIELDS, TaskType
from doneyet.task_types.context import NO_HOST, Host, RunContext, takes_context
from doneyet.task_types.error_text import MOST_DETAIL, clean, described, named, traced
from doneyet.task_types.schemas.field_names import written_names
from doneyet.task_types.schemas.output_json import output_json

log = logging.getLogger(__name__)

MOST_COST = 1e12
"""Most that one input may cost: costs are added up, and none may be lost in the sum."""


MOST_ANSWER_BYTES = 256 << 20
"""Redis takes no value beyond 512 MiB; who sends one is cut off, with all that is to be stored."""


class Answer(NamedTuple):
    """What came of one input: a JSON object of the echoed input, then outputs or `error`."""

    done: bool
    body: bytes


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


def run_batch(
    task_type: TaskType,
    inputs: Sequence[bytes],
    ids: Sequence[str] | None = None,
    host: Host = NO_HOST,
) -> list[Answer]:
    """One `Answer` per canonical JSON input, in order; never raises."""
    ids = [task_type.task_id(text) for text in inputs] if ids is None else ids
    return run_ready(task_type, make_ready(task_type, inputs, ids), host)


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
        made = _as_many(f"{task_type.name}.prepare", returned, "items", len(good))
    except _WrongFormError as error:
        log.error(str(error))
        made = [RuntimeError(str(error))] * len(good)
    except BaseException as error:  # also what is meant to end a process: it is somebody's input
        if len(good) > 1:
            for place in good:  # each alone, and new: `prepare` may have changed it
                (ready[place],) = make_ready(task_type, [inputs[place]], [ids[place]])
            return ready
        made = [_let_go(error)]
    for place, prepared in zip(good, made, strict=True):
        ready[place] = ready[place]._replace(prepared=prepared)
    return ready


def _validated(task_type: TaskType, text: bytes, task_id: str) -> Ready:
    try:
        item = task_type.from_canonical(text)
        return Ready(item, item, task_id, text, task_type.echo_json(item))
    except BaseException as error:  # a validator of its own may raise anything
        return Ready(None, _let_go(error), task_id, text)


def priced(task_type: TaskType, ready: Ready) -> tuple[Ready, float]:
    """`ready` and what it costs; refused, and 0, where that cannot be told; never raises."""
    if isinstance(ready.prepared, BaseException):
        return ready, 0.0  # it is refused before anything runs
    try:
        cost: Any = task_type.cost(ready.prepared)
    except BaseException as error:  # also what is meant to end a process: it is somebody's input
        log.warning("%s.cost raised %s", task_type.name, described(error))
        return ready._replace(prepared=_let_go(error)), 0.0
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


def run_ready(task_type: TaskType, inputs: Sequence[Ready], host: Host = NO_HOST) -> list[Answer]:
    """One `Answer` per prepared input, in order; never raises."""
    outcomes = _outcomes(task_type, inputs, host)
    return [
        _refusal(task_type, each)
        if isinstance(each.prepared, BaseException)
        else answer_of(task_type, each.echo, outcome, each.id)
        for each, outcome in zip(inputs, outcomes, strict=True)
    ]


def _outcomes(task_type: TaskType, inputs: Sequence[Ready], host: Host) -> Sequence[Any]:
    """An output or an exception per input; what is refused does not run."""
    good = [at for at, each in enumerate(inputs) if not isinstance(each.prepared, BaseException)]
    if len(good) == len(inputs):
        return _run_or_split(task_type, inputs, host)
    outcomes = [each.prepared for each in inputs]
    ran = _run_or_split(task_type, [inputs[at] for at in good], host)
    for at, outcome in zip(good, ran, strict=True):
        outcomes[at] = outcome
    return outcomes


def _refusal(task_type: TaskType, refused: Ready) -> Answer:
    why = described(refused.prepared)
    log.warning("%s is refused: %s", named(task_type.name, [refused.id]), why)
    if refused.item is not None:
        return answer_of(task_type, refused.echo, refused.prepared, refused.id)
    # The server has taken it, so it runs another version of this task type.
    why = why.removeprefix("ValueError: ")
    return failure("invalid-input", f"this worker refuses the input: {why}")


def failure(code: str, detail: str, echo: bytes = b"{}") -> Answer:
    """A failed answer. `code` is for programs, `detail` for people; `echo` a JSON object."""
    error = {"code": code, "detail": clean(detail[:MOST_DETAIL])}
    return Answer(False, _join(echo, json.dumps({"error": error}).encode()))


class _WrongFormError(Exception):
    """Raised when a task type's method gives no list of the right length; says so."""


def _as_many(who: str, returned: Any, what: str, count: int) -> list[Any]:
    """`returned`, which should be `count` things, as a list.

    Raises:
        _WrongFormError: it is not.
    """
    if isinstance(returned, str | bytes) or not isinstance(returned, Iterable):
        raise _WrongFormError(f"{who} gave {type(returned).__name__}, and no list of {what}")
    given = list(islice(returned, count + 1))  # it may go on for ever
    if len(given) == count:
        return given
    number = "more" if len(given) > count else f"{len(given)}"
    raise _WrongFormError(f"{who} gave {number} {what} for {count} inputs")


def _shown(value: object) -> str:
    """`value` in a few characters, whatever it is."""
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a huge int"  # whose digits Python may refuse to write
    try:
        return repr(value)[:40] if isinstance(value, int | float | str) else type(value).__name__
    except BaseException:
        return type(value).__name__


def _run_or_split(task_type: TaskType, items: Sequence[Ready], host: Host) -> list[Any]:
    """An output or an exception per item; what raises is halved until the guilty is alone.

    Each half runs on new objects: `run` may have changed those that it had.
    """
    if not items:
        return []
    try:
        returned = _run(task_type, items, host)
        return _as_many(f"{task_type.name}.run", returned, "results", len(items))
    except _WrongFormError as error:
        log.error("%s failed: %s", _named(task_type, items), error)
        return [RuntimeError(str(error))] * len(items)
    except BaseException as error:  # also what is meant to end a process: it is somebody's input
        why = described(error)
        if len(items) == 1:
            log.warning("%s failed: %s\n%s", _named(task_type, items), why, traced(error))
            # Its frames hold what the model had computed, on a device that others need.
            return [_let_go(error)]
        log.info("%s failed and is halved: %s", _named(task_type, items), why)
    middle = len(items) // 2
    return [
        *_outcomes(task_type, _made_again(task_type, items[:middle]), host),
        *_outcomes(task_type, _made_again(task_type, items[middle:]), host),
    ]


def _run(task_type: TaskType, items: Sequence[Ready], host: Host) -> Any:
    """What `run` returns."""
    prepared = [each.prepared for each in items]
    if not takes_context(task_type):
        return task_type.run(prepared)
    context = RunContext([each.id for each in items], task_type.name, host)
    try:
        return task_type.run(prepared, context)
    finally:
        context.end()


def _made_again(task_type: TaskType, items: Sequence[Ready]) -> list[Ready]:
    return make_ready(task_type, [each.text for each in items], [each.id for each in items])


def _named(task_type: TaskType, items: Sequence[Ready]) -> str:
    return named(task_type.name, [each.id for each in items])


def _let_go(error: BaseException) -> BaseException:
    """`error` without the frames in which it, and what led to it, was raised."""
    seen: BaseException | None = error
    for _ in range(100):  # an error may lead to itself
        if seen is None:
            break
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    return error


def echo_of(task_type: TaskType, text: bytes) -> bytes:
    """What the answer to the canonical input `text` repeats; `{}` where the type cannot tell."""
    return _validated(task_type, text, "").echo


def answer_of(task_type: TaskType, echo: bytes, outcome: Any, task_id: str = "") -> Answer:
    """The answer to one input, whose echo is given, from the output, or exception, that came."""
    if isinstance(outcome, BaseException):
        return failure("task-failed", described(outcome), echo)
    try:
        if not isinstance(outcome, task_type.Output):
            outcome = task_type.Output.model_validate(outcome, by_alias=True, by_name=True)
        body = _join(echo, output_json(task_type.Output, outcome, _taken_names(task_type)))
    except BaseException as error:  # a validator or serializer of its own may raise anything
        why = described(error)
        log.error(
            "%s returned something that is not an Output: %s", named(task_type.name, [task_id]), why
        )
        detail = f"{task_type.name} gave an answer of the wrong form: {why}"
        return failure("invalid-output", detail, echo)
    if len(body) > MOST_ANSWER_BYTES:
        detail = (
            f"the answer has {len(body) / 2**20:,.0f} MiB, and at most "
            f"{MOST_ANSWER_BYTES >> 20} are kept; write a file, and answer with its name"
        )
        log.error("%s: %s", named(task_type.name, [task_id]), detail)
        return failure("answer-too-large", detail, echo)
    return Answer(True, body)


@cache
def _taken_names(task_type: TaskType) -> frozenset[str]:
    """The names in an answer object that are no output's."""
    return RESERVED_FIELDS.union(written_names(task_type.Input, task_type.echo))


def _join(first: bytes, second: bytes) -> bytes:
    """Two JSON objects with different keys as one, without parsing them."""
    if first == b"{}" or second == b"{}":
        return second if first == b"{}" else first
    return first[:-1] + b"," + second[1:]
