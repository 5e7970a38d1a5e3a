"""What a request's body and query string mean: fields, or an array of them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from werkzeug.http import parse_options_header

from doneyet.task_types import TaskType
from doneyet.task_types.schemas.field_names import all_read_names, read_names
from doneyet.task_types.schemas.parse_input import MODEL, models
from http_server.wire.form_values import typed
from http_server.wire.json_body import parse
from http_server.wire.problem import Problem, bad_request, invalid_input, invalid_whole

FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000
_BEGINS_LIKE_A_FORM = re.compile(rb"[A-Za-z_][A-Za-z0-9_.%-]*=")
_NAMES_OF_FORM = re.compile(rb"(?:^|&)([^&=]{1,200})=")
_LOOKS_LIKE_JSON = re.compile(rb"\s*(\{|\[\s*[{\]])")
"""An object, or an array of objects; a text may begin with a bracket, too: `[MASK] is a city`."""


def meaning(raw: bytes, content_type: str, query: str, types: Sequence[TaskType]) -> Any:
    """What was asked: usually a dict of fields, or a list of such.

    Raises:
        Problem: 400, 415 or 422.
    """
    said = _query_fields(query) if query else {}
    task_type = _chosen(types, said)
    fields = typed(said, task_type.Input)
    media_type, options = parse_options_header(content_type)
    media_type = media_type.lower()
    if not raw and (fields or media_type in ("", FORM)):
        return fields
    _check_charset(options.get("charset", "utf-8"))
    if media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        value = parse(raw)
    elif media_type == "text/plain":
        value = _text(raw, task_type, types)
    elif media_type in ("", FORM):
        value = _untyped(raw, task_type, types)
    else:
        raise _unsupported(media_type, types)
    if fields:
        return _merged(fields, value)
    return value


def _text(raw: bytes, task_type: TaskType, types: Sequence[TaskType]) -> dict[str, Any]:
    if task_type.text_field is None:
        raise _unsupported("text/plain", types)
    try:
        return {read_names(task_type.Input)[task_type.text_field][0]: raw.decode("utf-8")}
    except UnicodeDecodeError as error:
        raise bad_request(f"the text is not UTF-8 (byte {error.start})") from None


def _untyped(raw: bytes, task_type: TaskType, types: Sequence[TaskType]) -> Any:
    """What `curl -d` sends says that it is a form, whatever it is: JSON, a form or a text."""
    start = raw.removeprefix(codecs.BOM_UTF8)
    if _LOOKS_LIKE_JSON.match(start) or (
        start.lstrip()[:1] == b"[" and task_type.text_field is None
    ):
        return _json_or_hint(raw, task_type)
    if _is_form(raw, _field_names(task_type, types)):
        said = _form(raw)
        task_type = _chosen(types, said)
        return typed(said, task_type.Input)
    if task_type.text_field is not None:
        return _text(raw, task_type, types)
    raise _unsupported(FORM, types)


def _json_or_hint(raw: bytes, task_type: TaskType) -> Any:
    try:
        return parse(raw)
    except Problem as problem:
        if task_type.text_field is None or problem.kind != "not-json":
            raise
        detail = problem.detail
    raise bad_request(f"{detail}; send a text as Content-Type: text/plain", "not-json")


def _is_form(raw: bytes, names: set[str]) -> bool:
    """Whether it begins like a form (`name=`), or has a field of the input anywhere: then it is no
    text, even where it is no valid form either."""
    if _BEGINS_LIKE_A_FORM.match(raw):
        return True
    return any(
        unquote_plus(found[1].decode("utf-8", "replace")) in names
        for found in _NAMES_OF_FORM.finditer(raw)
    )


def _form(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_request(f"the form is not UTF-8 (byte {error.start})") from None
    parts = text.split("&", _MOST_FIELDS)
    if bare := next((part for part in parts if part and "=" not in part), None):
        raise invalid_whole(
            f"the form has {bare[:40]!r} without a name; an & in a value is %26 (curl: "
            "--data-urlencode)"
        )
    try:
        return _pairs(text)
    except ValueError as error:
        raise bad_request(f"the form cannot be read: {error}") from None


def _query_fields(query: str) -> dict[str, Any]:
    try:
        return _pairs(query.encode("latin-1").decode())  # WSGI's text is its bytes, one by one
    except UnicodeDecodeError as error:
        raise bad_request(f"the query string is not UTF-8 (byte {error.start})") from None
    except ValueError as error:
        raise bad_request(f"the query string cannot be read: {error}") from None


def _pairs(text: str) -> dict[str, Any]:
    """Names with their value, or with the list of their values where a name comes again.

    Raises:
        ValueError: too many, or not UTF-8.
    """
    if text.count("&") >= _MOST_FIELDS:
        raise ValueError(f"it has more than {_MOST_FIELDS} fields; send JSON")
    fields: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="strict"):
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields


def _merged(fields: dict[str, Any], value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid_whole("with a query string the body must be one object or text, not an array")
    if twice := sorted(fields.keys() & value.keys()):
        detail = "is given both in the query string and in the body"
        raise invalid_input([{"pointer": f"/{name}", "detail": detail} for name in twice])
    return {**fields, **value}


def _chosen(types: Sequence[TaskType], fields: dict[str, Any]) -> TaskType:
    return models(types).get(str(fields.get(MODEL)), types[0])


def _field_names(task_type: TaskType, types: Sequence[TaskType]) -> set[str]:
    names = all_read_names(task_type.Input)
    return names | {MODEL} if models(types) else names


def _check_charset(charset: str) -> None:
    if charset.lower() not in ("utf-8", "utf8", "us-ascii"):
        raise Problem(
            415, "unsupported-media-type", f"text is read as UTF-8, not as {charset.lower()[:40]!r}"
        )


def _unsupported(media_type: str, types: Sequence[TaskType]) -> Problem:
    accepted = ["application/json"]
    if any(task_type.text_field for task_type in types):
        accepted.append("text/plain")
    detail = f"send JSON with the header 'Content-Type: application/json', not {media_type[:80]!r}"
    if len(accepted) > 1:
        detail = f"send Content-Type: {' or '.join(accepted)}, not {media_type[:80]!r}"
    return Problem(
        415, "unsupported-media-type", detail, headers=[("accept-post", ", ".join(accepted))]
    )
