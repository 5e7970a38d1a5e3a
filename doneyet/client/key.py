"""The API key that a client sends."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

VARIABLE = "DONEYET_KEY"
"""Where the key is taken from: on a command line, every user of the machine could read it."""

_SENDABLE = re.compile(r"[!-~]{1,1000}")


def key_header(key: str | None) -> Mapping[str, str]:
    """The header for `key`, or for that in the environment where it is None; none for an empty one.

    Not `Authorization`: that may be a proxy's, and `requests` takes one from `~/.netrc`.

    Raises:
        ValueError: it cannot be a key; never shows it.
    """
    name = "the key" if key is not None else VARIABLE
    text = (os.environ.get(VARIABLE, "") if key is None else key).strip()
    if not text:
        return {}
    if _SENDABLE.fullmatch(text) is None:
        raise ValueError(f"{name} must be one word of ASCII letters, digits and signs, dyk_...")
    return {"X-API-Key": text}
