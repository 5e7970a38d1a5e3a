"""Parameters of a query string, of which each is known, told once, and what it is to be."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence

from flask import Request

from http_server.wire.problem import Problem, bad_request
from task_manager.listing import Place
from task_manager.values import State

_MOST_DIGITS = 9
_MOST_CURSOR = 1000
_MOST_ORDER = 1 << 53
_LEAST_PREFIX = 4
_PART_OF_ID = re.compile("[0-9a-f]{1,40}")


def parameters(request: Request, known: Sequence[str]) -> Mapping[str, str]:
    """Those of the request, by name.

    Raises:
        Problem: 400: one is not known or comes twice, so that what was meant is not clear, or the
            query string is not UTF-8.
    """
    try:
        given = request.args
    except UnicodeDecodeError as error:
        raise bad_request(f"the query string is not UTF-8 (byte {error.start})") from None
    for name, values in given.lists():
        if name not in known:
            there_are = ", ".join(known)
            raise bad_request(f"there is no parameter {name[:100]!r} here; there are: {there_are}")
        if len(values) > 1:
            raise bad_request(f"the parameter {name} comes {len(values)} times; give it once")
    return given.to_dict()


def number(told: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`.

    Raises:
        Problem: 400: it is another.
    """
    text = told.get(name, str(default))
    if text.isascii() and text.isdigit() and 1 <= int(text[:_MOST_DIGITS]) <= most:
        return int(text[:_MOST_DIGITS])
    raise bad_request(f"{name} must be a whole number from 1 to {most}, not {text[:50]!r}")


def type_names(told: Mapping[str, str], known: Sequence[str]) -> list[str]:
    """The one task type that is named, else all.

    Raises:
        Problem: 404: there is no such type.
    """
    name = told.get("type")
    if name is None:
        return list(known)
    if name not in known:
        raise unknown_type(name, known)
    return [name]


def unknown_type(name: str, known: Sequence[str]) -> Problem:
    """404: no task type of this server is called so."""
    there_are = ", ".join(known)
    return Problem(404, "unknown-type", f"no task type {name[:100]!r}; there are: {there_are}")


def state_in(told: Mapping[str, str]) -> State | None:
    """The status that is asked for; None: any.

    Raises:
        Problem: 400: it is none.
    """
    text = told.get("status")
    if text is None:
        return None
    try:
        return State(text)
    except ValueError as error:
        states = ", ".join(State)
        raise bad_request(f"status must be one of {states}, not {text[:50]!r}") from error


def id_prefix(told: Mapping[str, str]) -> str:
    """What ids are to begin with; "" where nothing is said.

    Raises:
        Problem: 400: it is too short to find something, or no part of an id.
    """
    text = told.get("id")
    if text is None:
        return ""
    if len(text) >= _LEAST_PREFIX and _PART_OF_ID.fullmatch(text):
        return text
    raise bad_request(
        f"id must be at least the first {_LEAST_PREFIX} of the hexadecimal digits of a task's id, "
        f"not {text[:50]!r}"
    )


def cursor_of(place: Place | None) -> str | None:
    """A word that stands for a place, to be passed back as it is."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_in(told: Mapping[str, str], *, in_turn: bool) -> Place | None:
    """The place that the parameter `after` stands for; None where there is none.

    Raises:
        Problem: 400: it is not what a reply to the same request told as `next`.
    """
    text = told.get("after")
    if text is None:
        return None
    try:
        padded = text[:_MOST_CURSOR] + "=" * (-len(text) % 4)
        name, order, task_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
        place = Place(str(name), int(order), str(task_id))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _no_cursor() from error
    is_id = place.id.isascii()  # what is no text at all may not even be sent to Redis
    if bool(place.type) is not in_turn or abs(place.order) > _MOST_ORDER or not is_id:
        raise _no_cursor()
    return place


def _no_cursor() -> Problem:
    return bad_request(
        "after must be what the page before told as next, with the same status; leave it out for "
        "the first page"
    )
