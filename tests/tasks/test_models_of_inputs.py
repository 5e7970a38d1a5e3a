"""`Input`: one input is one task everywhere, and `run` gets what was sent."""

from __future__ import annotations

import dataclasses
import decimal
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    Secret,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
)

from doneyet.task_types.factorization import Factorization
from doneyet.task_types.schemas.model_check import fault_of
from doneyet.task_types.schemas.model_traits import stable, traits
from doneyet.task_types.schemas.parse_input import FaultyTypeError, InvalidInputError, asked
from tests.tasks.made_type import Plain, answers, task_type


class Nested(BaseModel):
    """Something with a secret in it."""

    key: SecretStr = SecretStr("")


@pytest.mark.parametrize(
    ("annotation", "field"),
    [
        (str, Field(default="", exclude=True)),
        (SecretStr, Field(default=SecretStr(""))),
        (Secret[int], Field(default=Secret(1))),
        (list[Nested], Field(default=[])),
        (dict[str, SecretStr | None], Field(default={})),
    ],
    ids=["exclude", "SecretStr", "Secret", "nested", "in a dict"],
)
def test_inputs_that_json_leaves_out_are_refused_at_start(annotation: Any, field: Any) -> None:
    """`run` would not see them, and inputs that differ in them would be one task."""
    hiding = type("Hiding", (BaseModel,), {"__annotations__": {"key": annotation}, "key": field})
    assert "Input.key" in (fault_of(task_type(hiding)) or "")


@pytest.mark.parametrize(
    "annotation", [Iterable[int], Generator[int, None, None], list[Iterable[int]]]
)
def test_inputs_that_can_be_read_once_are_refused_at_start(annotation: Any) -> None:
    """They are read when they are checked and kept, and `run` would get what is left: nothing."""
    once = type("Once", (BaseModel,), {"__annotations__": {"numbers": annotation}})
    assert "Input.numbers can be read once" in (fault_of(task_type(once)) or "")


class Masked(BaseModel):
    """A serializer loses something."""

    key: str

    @field_serializer("key")
    def _masked(self, key: str) -> str:
        return "***" if len(key) > 3 else key


class Rounded(BaseModel):
    """A nested one does."""

    part: dict[str, list[Annotated[float, PlainSerializer(lambda x: round(x, 1))]]]


class Growing(BaseModel):
    """A validator that adds something each time."""

    key: str

    @field_validator("key")
    @classmethod
    def _grow(cls, key: str) -> str:
        return key + "!"


class Coarse(BaseModel):
    """Configured to lose something."""

    model_config = ConfigDict(ser_json_timedelta="float")
    length: Annotated[timedelta, PlainSerializer(lambda x: int(x.total_seconds()))]


@pytest.mark.parametrize(
    ("model", "lost"),
    [
        (Masked, {"key": "abcd"}),
        (Rounded, {"part": {"a": [1.0, 1.23]}}),
        (Growing, {"key": "a"}),
        (Coarse, {"length": 1.5}),
    ],
)
def test_inputs_that_do_not_survive_their_json_are_refused(
    model: type[BaseModel], lost: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """When they are submitted, with a word to the author of the type; those that do are taken."""
    with pytest.raises(FaultyTypeError, match="whoever wrote the task type"):
        asked([task_type(model)], lost)
    assert "task type made" in caplog.text
    if model is Masked:
        assert answers(task_type(model), {"key": "abc"})[0]["v"] == "Masked(key='abc')"


@dataclasses.dataclass
class Point:
    """No model, but one for pydantic."""

    x: float
    at: datetime | None = None


class Varied(BaseModel):
    """Unusual, and none the worse for it."""

    point: Point | None = None
    path: Path = Path()
    choice: int | str | list[int] = 0
    exact: decimal.Decimal = decimal.Decimal(0)
    tags: frozenset[int | str] = frozenset()
    lower: Annotated[str, AfterValidator(str.lower)] = ""


@pytest.mark.parametrize(
    "given",
    [
        {"point": {"x": 1, "at": "2020-01-01T00:00:00Z"}},
        {"path": "/a", "choice": "1", "exact": "1.50"},
        {"choice": [1], "tags": ["a", 1], "lower": "ABC"},
    ],
)
def test_unusual_inputs_that_survive_are_taken(given: dict[str, Any]) -> None:
    """A check that is too strict would refuse them."""
    assert not traits(Varied).plain
    kind = task_type(Varied)
    assert answers(kind, given)[0]["v"] == repr(asked([kind], given).item)


def test_plain_inputs_are_not_checked_again() -> None:
    """Reading each input twice would cost more than all the rest."""

    class Usual(BaseModel):
        n: int = Field(ge=2)
        text: str = Field("", max_length=10)
        rows: list[list[float]] = []
        more: dict[str, Any] | None = None
        inner: Plain = Plain()

    assert traits(Usual).plain
    assert not traits(Usual).sets


class Inner(BaseModel):
    """Holds a set."""

    tags: set[str | int] = set()


class Sets(BaseModel):
    """Sets in every place."""

    s: set[str] = Field(set(), alias="S")
    deep: list[dict[str, frozenset[int]]] = []
    inner: Inner | None = None
    mixed: set[str | float | bool | tuple[int, str] | None] = set()
    sets: set[frozenset[str]] = set()
    made: Annotated[list[str], AfterValidator(set)] = []
    default: Any = frozenset({"a", "b", "c", "d"})


ONE_WAY = {
    "S": ["a", "b", "c"],
    "deep": [{"x": [1, 2, 3000]}],
    "inner": {"tags": ["p", 1, "q"]},
    "mixed": [None, "1", 1.5, True, [1, "b"], [1, "a"]],
    "sets": [["a", "b"], ["c", "d"]],
    "made": ["u", "v", "w"],
}


OTHER_WAY = {
    "S": ["c", "b", "a", "a"],
    "deep": [{"x": [3000, 2, 1, 2]}],
    "inner": {"tags": ["q", "p", 1]},
    "mixed": [[1, "a"], [1, "b"], True, 1.5, "1", None],
    "sets": [["d", "c"], ["b", "a", "b"]],
    "made": ["w", "v", "u"],
}


def test_equal_sets_are_one_task_on_every_server() -> None:
    """Whatever the order in which they were sent, and in which this process keeps them."""
    module = "tests.tasks.test_models_of_inputs"
    code = (
        f"from {module} import *\n"
        "for given in (ONE_WAY, OTHER_WAY):\n"
        "    found = asked([task_type(Sets)], given)\n"
        "    print(found.id, found.canonical.decode(), found.echo.decode())"
    )
    told = set()
    for seed in ("0", "1", "2", "3"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        told |= set(ran.stdout.splitlines())
    assert len(told) == 1
    assert '"s":["a","b","c"]' in told.pop()


def test_unequal_sets_are_two_tasks() -> None:
    """Sorting loses nothing."""
    first, second = (asked([task_type(Sets)], {"S": tags}) for tags in (["a", "b"], ["a"]))
    assert first.id != second.id


class WithAliases(BaseModel):
    """Every kind of alias."""

    n: int = Field(alias="N")
    m: int = Field(0, validation_alias="MM", serialization_alias="mmm")
    c: int = Field(0, validation_alias=AliasChoices("first", "second"))
    plain: int = 0

    @computed_field
    def total(self) -> int:
        return self.n + self.m


class ByName(BaseModel):
    """A field that goes by both."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")
    n: int = Field(alias="N")


def test_inputs_with_aliases_work() -> None:
    """They are read by alias, reach `run`, and are echoed by the alias that writes them."""
    kind = task_type(WithAliases)
    given = {"N": 1, "MM": 2, "second": 3}
    (answer,) = answers(kind, given)
    assert answer.pop("v") == "WithAliases(n=1, m=2, c=3, plain=0, total=3)"
    assert answer == {"N": 1, "mmm": 2, "c": 3, "plain": 0, "total": 3}
    with pytest.raises(InvalidInputError, match="there are: N, MM, first, plain"):
        asked([kind], {"N": 1, "n": 1})


def test_inputs_by_alias_or_by_name_are_one_task() -> None:
    """Where a model takes both."""
    kind = task_type(ByName)
    assert asked([kind], {"N": 1}).id == asked([kind], {"n": 1}).id
    assert answers(kind, {"n": 1}) == [{"N": 1, "v": "ByName(n=1)"}]


def test_inputs_are_read_twice_only_where_they_might_change() -> None:
    """Limits change nothing, and a validator may declare that it leaves alone what it returned;
    any other may do what it likes."""

    def upper(text: str) -> str:
        return text.upper()

    class Limited(BaseModel):
        number: Annotated[int, Field(ge=2, lt=10**100)]

    class Stable(BaseModel):
        text: Annotated[str, AfterValidator(stable(upper))]

    class Unknown(BaseModel):
        text: Annotated[str, AfterValidator(str.title)]

    assert traits(Limited).plain
    assert traits(Stable).plain
    assert not traits(Unknown).plain
    assert traits(Factorization.Input).plain


class Timed(BaseModel):
    """Nested in a list, and optional."""

    at: float = Field(default_factory=time.perf_counter)


@pytest.mark.parametrize(
    ("annotation", "factory", "told"),
    [
        (str, lambda: str(uuid4()), "Input.x is another each time"),
        (Timed, Timed, "Input.x is another each time"),
        (list[Timed | None], list, "Timed.at is another each time"),
        (int, lambda: 1 // 0, "Input.x raises ZeroDivisionError"),
        (list[int], lambda: [1], None),
        (dict[str, Any], dict, None),
        (Point, lambda: Point(1), None),
    ],
    ids=["uuid", "nested", "in a list", "raises", "list", "dict", "dataclass"],
)
def test_defaults_that_differ_each_time_are_refused_at_start(
    annotation: Any, factory: Any, told: str | None
) -> None:
    """Clients that ask again would never meet their answer."""
    field = Field(default_factory=factory)
    model = type("Input", (BaseModel,), {"__annotations__": {"x": annotation}, "x": field})
    assert (told or "None") in str(fault_of(task_type(model)))
