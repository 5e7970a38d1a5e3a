"""The request body and query string as what they mean: fields, or an array of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from http_server.problem import Problem, bad_request, invalid_input, invalid_whole
from http_server.strict_json import parse
from tasks import TaskType
from tasks.asking import MODEL, models

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
_PIECE_BYTES = 64 * 1024
_POLITENESS = 4  # times the limit that is read and dropped, so that the client sees its 413
_MOST_FIELDS = 1000
_LOOKS_LIKE_JSON = re.compile(rb"\s*(\{|\[\s*[{\]])")
"""An object, or an array of objects; a text may begin with a bracket, too: `[MASK] is a city`."""


def read(environ: WSGIEnvironment, most_bytes: int) -> bytes:
    """The whole body.

    Raises:
        Problem: 413 above `most_bytes`, 400 where the client stopped halfway.
    """
    stream = environ["wsgi.input"]
    declared = environ.get("CONTENT_LENGTH") or ""
    length = int(declared) if declared.isascii() and declared.isdigit() else None
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""
    if length is not None and length <= most_bytes:
        body: bytes = stream.read(length) if length else b""
        if len(body) < length:
            raise bad_request("the body ended before its Content-Length")
        return body
    pieces, total = [], 0
    while piece := stream.read(_PIECE_BYTES):
        total += len(piece)
        if total <= most_bytes:
            pieces.append(piece)
        elif total > most_bytes * _POLITENESS:
            break
    if total > most_bytes or length is not None:
        raise Problem(
            413,
            "too-large",
            f"a request body may have at most {most_bytes} bytes; send less at once",
        )
    return b"".join(pieces)


def meaning(raw: bytes, content_type: str, query: str, types: Sequence[TaskType]) -> Any:
    """What was asked: usually a dict of fields, or a list of such.

    Raises:
        Problem: 400, 415 or 422.
    """
    fields = _query_fields(query) if query else {}
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    if not raw and (fields or media_type in ("", FORM)):
        return fields
    if media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        value = _json(raw, parameters)
    elif media_type == "text/plain":
        value = _text(raw, parameters, types, fields)
    elif media_type in ("", FORM):
        value = _untyped(raw, types, fields)
    else:
        raise _unsupported(media_type, types)
    if fields:
        return _merged(fields, value)
    return value


def _json(raw: bytes, parameters: str) -> Any:
    _check_charset(parameters)
    return parse(raw)


def _text(
    raw: bytes, parameters: str, types: Sequence[TaskType], fields: dict[str, Any]
) -> dict[str, Any]:
    field = _chosen(types, fields).text_field
    if field is None:
        raise _unsupported("text/plain", types)
    _check_charset(parameters)
    try:
        return {field: raw.decode("utf-8")}
    except UnicodeDecodeError as error:
        raise bad_request(f"the text is not UTF-8 (byte {error.start})") from None


def _untyped(raw: bytes, types: Sequence[TaskType], fields: dict[str, Any]) -> Any:
    """What `curl -d` sends says that it is a form, whatever it is: JSON, a form or a text."""
    kind = _chosen(types, fields)
    if _LOOKS_LIKE_JSON.match(raw) or (raw.lstrip()[:1] == b"[" and kind.text_field is None):
        return parse(raw)
    form = _form(raw)
    if form and form.keys() <= _field_names(kind, types):
        return form
    if kind.text_field is not None:
        return _text(raw, "", types, fields)
    if form:
        return form  # validation names the wrong fields
    raise _unsupported(FORM, types)


def _form(raw: bytes) -> dict[str, Any] | None:
    try:
        return _pairs(raw.decode("ascii"), strict=True)
    except ValueError:
        return None


def _query_fields(query: str) -> dict[str, Any]:
    try:
        return _pairs(query, strict=False)
    except ValueError as error:
        raise bad_request(f"the query string cannot be read: {error}") from None


def _pairs(text: str, *, strict: bool) -> dict[str, Any]:
    """Names with their value, or with the list of their values where a name comes again."""
    fields: dict[str, Any] = {}
    pairs = parse_qsl(
        text,
        keep_blank_values=True,
        strict_parsing=strict,
        errors="strict",
        max_num_fields=_MOST_FIELDS,
    )
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields


def _merged(fields: dict[str, Any], value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid_whole("with a query string the body must be one object or text, no array")
    if twice := sorted(fields.keys() & value.keys()):
        detail = "is given both in the query string and in the body"
        raise invalid_input([{"pointer": f"/{name}", "detail": detail} for name in twice])
    return {**fields, **value}


def _chosen(types: Sequence[TaskType], fields: dict[str, Any]) -> TaskType:
    return models(types).get(str(fields.get(MODEL)), types[0])


def _field_names(kind: TaskType, types: Sequence[TaskType]) -> set[str]:
    names = {field.alias or name for name, field in kind.Input.model_fields.items()}
    return names | {MODEL} if models(types) else names


def _check_charset(parameters: str) -> None:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
            if charset not in ("utf-8", "utf8", "us-ascii"):
                raise Problem(
                    415, "unsupported-media-type", f"text is read as UTF-8, not as {charset[:40]!r}"
                )


def _unsupported(media_type: str, types: Sequence[TaskType]) -> Problem:
    accepted = ["application/json"]
    if any(kind.text_field for kind in types):
        accepted.append("text/plain")
    detail = f"send JSON with the header 'Content-Type: application/json', not {media_type[:80]!r}"
    if len(accepted) > 1:
        detail = f"send Content-Type: {' or '.join(accepted)}, not {media_type[:80]!r}"
    return Problem(
        415, "unsupported-media-type", detail, headers=[("accept-post", ", ".join(accepted))]
    )
