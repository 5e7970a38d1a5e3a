"""Ids of tasks: the tag of the type, then the hash of type, version and input."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache

TYPE_TAG_LENGTH = 8
"""Hex digits at the start of a task id that name its type."""


@cache
def task_id_of(name: str, version: str) -> Callable[[bytes], str]:
    """Gives the id for each input, in canonical JSON, of that version of the task type `name`."""
    tag = type_tag(name)
    begun = hashlib.blake2b(digest_size=16)
    for part in (name.encode(), version.encode()):
        begun.update(len(part).to_bytes(8, "big") + part)

    def task_id(canonical_input: bytes) -> str:
        digest = begun.copy()
        digest.update(len(canonical_input).to_bytes(8, "big") + canonical_input)
        return tag + digest.hexdigest()

    return task_id


@cache
def type_tag(name: str) -> str:
    """The first `TYPE_TAG_LENGTH` characters of every id of the task type called `name`."""
    return hashlib.blake2b(name.encode(), digest_size=TYPE_TAG_LENGTH // 2).hexdigest()
