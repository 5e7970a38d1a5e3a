"""Simple inputs are written in one step, with the ids and echoes that others have."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, computed_field

from doneyet.task_types.schemas.canonical_json import canonical_json, echo_json
from doneyet.task_types.schemas.model_traits import traits
from doneyet.task_types.schemas.parse_input import InvalidInputError, asked
from tests.tasks.made_type import task_type


class Simple(BaseModel):
    """All that counts as simple."""

    chosen: Literal["a", 1, True] | None = None
    count: Annotated[int, Field(ge=-(10**40))] = 0
    is_there: bool = False
    text: str = ""


class Unsorted(BaseModel):
    """Fields that are not in the order of their names."""

    text: str = ""
    count: int = 0


class WithAlias(BaseModel):
    """A field of another name in the answer."""

    count: int = Field(default=0, serialization_alias="n")


class WithFloat(BaseModel):
    """pydantic writes 1e16 otherwise than Python does, and there are two zeros."""

    number: float = 0.0


class Free(BaseModel):
    """Fields of any name."""

    model_config = ConfigDict(extra="allow")
    count: int = 0


class Computing(BaseModel):
    """A field that is an answer's alone."""

    count: int = 0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        """Twice."""
        return 2 * self.count


class Nesting(BaseModel):
    """Another model's names are not in order."""

    inner: Unsorted = Unsorted()


class Listing(BaseModel):
    """A list's items may be anything."""

    texts: list[Any] = []


def test_which_models_are_simple() -> None:
    assert traits(Simple).canonical
    others = (Unsorted, WithAlias, WithFloat, Free, Computing, Nesting, Listing)
    assert not [each for each in others if traits(each).canonical]


@given(st.text(), st.integers(min_value=-(10**40)), st.sampled_from([None, "a", 1, True]))
def test_simple_inputs_are_written_as_others(text: str, count: int, chosen: Any) -> None:
    """Sorted keys, no spaces, and the same characters escaped: what the id is made of."""
    fields = {"chosen": chosen, "count": count, "is_there": True, "text": text}
    found = asked([task_type(Simple)], fields)
    expected = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert found.canonical == found.echo == expected.encode()
    assert found.canonical == canonical_json(Simple, found.item)
    assert found.echo == echo_json(Simple, found.item, None)


def test_what_is_not_echoed_is_not_repeated() -> None:
    """Where an answer repeats some fields only, these are written apart."""
    found = asked([task_type(Simple, echo=frozenset({"count"}))], {"count": 3, "text": "x"})
    assert json.loads(found.canonical)["text"] == "x"
    assert found.echo == b'{"count":3}'


@pytest.mark.parametrize("model", [Simple, Unsorted])
def test_half_a_character_is_no_input(model: type[BaseModel]) -> None:
    """It cannot be written, whichever way."""
    with pytest.raises(InvalidInputError, match="cannot be kept as JSON"):
        asked([task_type(model)], {"text": "\ud800"})
