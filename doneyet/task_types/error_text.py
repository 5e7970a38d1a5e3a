"""Tasks and errors in logs and failures: bounded, whatever an error says, and never an input."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence

from pydantic import ValidationError

MOST_IDS = 8
MOST_DETAIL = 2_000
"""Characters of an error's message that are worth keeping."""
MOST_TRACE = 8_000
"""Characters of a traceback that are worth logging: its start and, rather, its end."""


class TaskNames(str):
    """What `named` says, and of which tasks: the first of them, and their type."""

    __slots__ = ("tasks", "type")
    type: str
    tasks: Sequence[str]


def named(type_name: str, ids: Iterable[str]) -> TaskNames:
    """`task=<id> type=<name>`; of many tasks the first few, and how many there are."""
    known = sorted(ids)
    told = " ".join(f"task={task_id}" for task_id in known[:MOST_IDS])
    more = f" (and {len(known) - MOST_IDS} more)" if len(known) > MOST_IDS else ""
    names = TaskNames(f"{told}{more} type={type_name}".lstrip())
    names.type, names.tasks = type_name, known[:MOST_IDS]
    return names


def described(error: BaseException) -> str:
    """`ValueError: it is odd`, at most `MOST_DETAIL` characters of valid Unicode.

    Of a refused input or output it says what is wrong where, but not the value.
    """
    try:
        if isinstance(error, ValidationError):
            text = "; ".join(
                f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}"
                for each in error.errors(include_url=False, include_context=False)[:10]
            )
        else:
            text = str(error)
    except BaseException as worse:
        text = f"its message cannot be had, since that raises {type(worse).__name__}"
    return clean(f"{type(error).__name__}: {text[:MOST_DETAIL]}")[:MOST_DETAIL]


def traced(error: BaseException) -> str:
    """The traceback, at most `MOST_TRACE` characters of it."""
    try:
        text = "".join(traceback.format_exception(error)).rstrip()
    except BaseException:
        text = "".join(traceback.format_tb(error.__traceback__)) + described(error)
    if len(text) > MOST_TRACE:
        left_out = len(text) - MOST_TRACE
        first, last = text[: MOST_TRACE // 4], text[-3 * MOST_TRACE // 4 :]
        text = f"{first}\n[... {left_out} characters ...]\n{last}"
    return clean(text)


def clean(text: str) -> str:
    """`text` as UTF-8 can carry it: half a surrogate pair becomes `?`."""
    return text.encode("utf-8", "replace").decode()
