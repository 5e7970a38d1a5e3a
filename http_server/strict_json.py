"""The value that a request's body means, or the problem that it has."""

from __future__ import annotations

import json
from typing import Any

from http_server.problem import Problem, bad_request, invalid_whole
from tasks.strict_json import NotJSONError, UnkeepableError, loads


def parse(raw: bytes) -> Any:
    """The value that `raw` means.

    Raises:
        Problem: 400 where it is not JSON or ambiguous, 422 where it is a value nobody can hold.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_json(f"the body is not UTF-8 (byte {error.start})") from None
    try:
        return loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _not_json(f"{error.msg} ({where})" if text.strip() else "the body is empty") from None
    except NotJSONError as error:
        raise _not_json(str(error)) from None
    except UnkeepableError as error:
        raise invalid_whole(str(error)) from None


def _not_json(detail: str) -> Problem:
    return bad_request(detail, "not-json")
