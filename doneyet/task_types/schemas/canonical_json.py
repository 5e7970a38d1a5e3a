"""Inputs as JSON that is the same for equal inputs, and whether they survive it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

from pydantic import BaseModel, RootModel

from doneyet.task_types.schemas.model_traits import traits

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
_C_ENCODER: Any = vars(json.encoder).get("c_make_encoder")
_ITEMS = (list, tuple, deque, set, frozenset)
_IN_ORDER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _canonical_encoder() -> Callable[[Any], str]:
    """JSON with sorted keys. Made once: `JSONEncoder.encode` makes the encoder in C for each call,
    which takes longer than a small input."""
    if _C_ENCODER is None:
        return _ENCODER.encode
    # No search for cycles: pydantic, whose output this writes, has refused them.
    encode = _C_ENCODER(
        *(None, _ENCODER.default, json.encoder.encode_basestring, None),
        *(_ENCODER.key_separator, _ENCODER.item_separator, True, False, False),
    )
    return lambda value: "".join(encode(value, 0))


_encode = _canonical_encoder()


def canonical_json(model: type[BaseModel], item: BaseModel) -> bytes:
    """`item`, a `model`, by the names of its fields: sorted keys and sets, no spaces, UTF-8, and
    one zero.

    Raises:
        ValueError: it holds something that JSON cannot carry, such as NaN.
    """
    if traits(model).canonical:
        return own_json(model)(item)
    serializer = model.__pydantic_serializer__
    fields = serializer.to_python(item, mode="json", by_alias=False, round_trip=True)
    if traits(model).sets:
        fields = _with_sorted_sets(item, fields, by_alias=False)
    text = _encode(fields)
    if "-0.0" in text:
        text = _encode(_with_one_zero(fields))
    return text.encode()


def own_json(model: type[BaseModel]) -> Callable[[BaseModel], bytes]:
    """Writes items of `model` as they are: canonical JSON where `Traits.canonical` says so. There
    are no aliases and no computed fields then, so that it takes no options, which cost as much."""
    write: Callable[[BaseModel], bytes] = model.__pydantic_serializer__.to_json
    return write


def echo_json(model: type[BaseModel], item: BaseModel, only: set[str] | None) -> bytes:
    """`item`, a `model`, as its answer repeats it: fields in their order, under their aliases."""
    serializer = model.__pydantic_serializer__
    if not traits(model).sets:
        return serializer.to_json(item, include=only, by_alias=True)
    fields = serializer.to_python(item, mode="json", include=only, by_alias=True)
    return _IN_ORDER.encode(_with_sorted_sets(item, fields, by_alias=True)).encode()


def same(value: Any, again: Any) -> bool:
    """Whether two values are equal, as far as they can tell."""
    if type(value) is not type(again):
        return False
    if isinstance(value, BaseModel):
        equal = all(same(getattr(value, name), getattr(again, name)) for name in _fields(value))
    elif isinstance(value, dict):
        equal = value.keys() == again.keys() and all(
            same(part, again[name]) for name, part in value.items()
        )
    elif isinstance(value, list | tuple | deque):
        equal = len(value) == len(again) and all(map(same, value, again))
    elif getattr(type(value), "__eq__", None) is object.__eq__:
        equal = True
    else:
        try:
            equal = bool(value == again)
        except Exception:  # arrays say of each number whether it is equal
            equal = True
    return equal


def _fields(item: BaseModel) -> list[str]:
    return [*type(item).model_fields, *(item.model_extra or ())]


def _with_sorted_sets(value: Any, written: Any, *, by_alias: bool) -> Any:
    """`written`, which is `value` as JSON, with the lists that were sets sorted by their JSON."""

    def part(one: Any, text: Any) -> Any:
        return _with_sorted_sets(one, text, by_alias=by_alias)

    if isinstance(value, RootModel):
        return part(value.root, written)
    if isinstance(written, list) and isinstance(value, _ITEMS) and len(value) == len(written):
        written = list(map(part, value, written))
        if isinstance(value, set | frozenset):
            written.sort(key=lambda one: _encode(_with_one_zero(one)))
    elif isinstance(written, dict) and isinstance(value, BaseModel):
        names = {name: name for name in _fields(value)}
        if by_alias:
            fields = type(value).model_fields.items()
            names = {field.serialization_alias or name: name for name, field in fields}
        return {
            name: part(getattr(value, names[name]), one) if name in names else one
            for name, one in written.items()
        }
    elif isinstance(written, dict) and isinstance(value, dict) and len(value) == len(written):
        parts = map(part, value.values(), written.values())
        written = dict(zip(written, parts, strict=True))
    elif isinstance(written, dict) and is_dataclass(value):
        written = {name: part(getattr(value, name, None), one) for name, one in written.items()}
    return written


def _with_one_zero(value: Any) -> Any:
    """`value` without the negative zero, which equals the other one."""
    if isinstance(value, dict):
        return {name: _with_one_zero(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_one_zero(one) for one in value]
    return 0.0 if isinstance(value, float) and value == 0 else value
