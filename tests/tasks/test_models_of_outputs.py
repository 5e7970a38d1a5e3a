"""`Output`: it takes the place of nothing that doneyet says, and clients can read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import (
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    computed_field,
    model_serializer,
)

from doneyet.task_types import TaskType
from doneyet.task_types.schemas.model_check import fault_of
from tests.tasks.made_type import Plain, Value, answers, task_type


def _with_field(name: str, field: Any, annotation: Any = int) -> type[BaseModel]:
    return type("Made", (BaseModel,), {"__annotations__": {name: annotation}, name: field})


class ComputedStatus(BaseModel):
    """A computed field with a name of doneyet's own."""

    @computed_field
    def status(self) -> str:
        return "lie"


class ComputedSame(BaseModel):
    """A computed field with the name of an input."""

    @computed_field
    def n(self) -> int:
        return 1


class Twice(BaseModel):
    """Two fields of one name."""

    a: int = Field(0, serialization_alias="x")
    x: int = 0


@pytest.mark.parametrize(
    ("input_model", "output_model", "fault"),
    [
        (Plain, _with_field("a", Field(0, alias="id")), "'id' is doneyet's own"),
        (Plain, _with_field("a", Field(0, serialization_alias="load")), "'load' is doneyet's own"),
        (Plain, ComputedStatus, "'status' is doneyet's own"),
        (ComputedStatus, Value, "'status' is doneyet's own"),
        (_with_field("a", Field(0, validation_alias="done")), Value, "'done' is doneyet's own"),
        (_with_field("a", Field(0, serialization_alias="id")), Value, "'id' is doneyet's own"),
        (Plain, ComputedSame, "'n' is both"),
        (Plain, _with_field("a", Field(0, serialization_alias="n")), "'n' is both"),
        (_with_field("a", Field(0, alias="v")), Value, "'v' is both"),
        (Plain, Twice, "two fields of Output are written as 'x'"),
        (_with_field("a", Field(0, validation_alias=AliasPath("x", 0))), Value, "is a path"),
    ],
)
def test_names_that_are_taken_are_refused_at_start(
    input_model: type[BaseModel], output_model: type[BaseModel], fault: str
) -> None:
    """Also where an alias or a computed field writes them."""
    assert fault in (fault_of(task_type(input_model, output_model)) or "")


class Free(BaseModel):
    """Any output."""

    model_config = ConfigDict(extra="allow")
    v: Any = Field(None, serialization_alias="w")


class Serialized(BaseModel):
    """Writes itself as it likes."""

    v: Any = None

    @model_serializer
    def _write(self) -> Any:
        return self.v


@pytest.mark.parametrize("name", ["done", "status", "id", "load", "error", "type", "n", "w"])
def test_a_free_output_takes_no_name(name: str) -> None:
    """What the answer object has already, it cannot have a second time; its own names it may."""

    def run(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        return [Free(v=1, **{name: 5}), Free(v=1, more=2)]

    bad, good = answers(task_type(output_model=Free, run=run), {"n": 1}, {"n": 2})
    assert (good["w"], good["more"]) == (1, 2)
    if name == "w":
        assert bad["error"]["code"] == "invalid-output"
    else:
        assert bad["error"]["code"] == "invalid-output"
        assert repr(name) in bad["error"]["detail"]


@pytest.mark.parametrize("written", [{"done": True}, {"n": 1}, "text", [1], None])
def test_an_output_that_writes_itself_takes_no_name(written: Any) -> None:
    """And it is an object."""

    def run(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        return [Serialized(v=written)]

    (answer,) = answers(task_type(output_model=Serialized, run=run), {"n": 1})
    assert answer["error"]["code"] == "invalid-output"


def test_an_output_of_a_subclass_is_written_as_declared() -> None:
    """What it has beyond that is in no schema, and may be called anything."""

    class More(Value):
        status: str = "lie"
        n: int = 99

    def run(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        return [More(v=5)]

    assert answers(task_type(run=run), {"n": 1}) == [{"n": 1, "v": 5}]


def test_outputs_are_written_by_alias() -> None:
    """As their schema says; a dict may have either name."""

    class Aliased(BaseModel):
        value: int = Field(alias="v")

    def run(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        return [Aliased(v=1), {"v": 2}, {"value": 3}]

    got = answers(task_type(output_model=Aliased, run=run), {"n": 1}, {"n": 2}, {"n": 3})
    assert [answer["v"] for answer in got] == [1, 2, 3]


@pytest.mark.parametrize("deep", [False, True])
def test_an_integer_that_clients_refuse_is_no_answer(deep: bool) -> None:
    """As long a one is refused as an input; floats, and digits in a text, are what they are."""

    def run(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        outputs = [10**4300, -(10**4300), 10**4299, [1.7976931348623157e308] * 1000, "1" * 5000]
        return [Value(v=[{"x": one}] if deep else one) for one in outputs]

    got = answers(task_type(run=run), *({"n": n} for n in range(5)))
    for answer in got[:2]:
        assert answer["error"]["code"] == "invalid-output"
        assert "4301 digits" in answer["error"]["detail"] or "4302" in answer["error"]["detail"]
    assert not any("error" in answer for answer in got[2:])
