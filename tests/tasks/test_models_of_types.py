"""`Input` and `Output`: one input is one task everywhere, `run` gets what was sent, and no output
takes the place of what doneyet says."""

from __future__ import annotations

import dataclasses
import decimal
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    Secret,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
)

from doneyet.task_types import Job, TaskType
from doneyet.task_types.execution import run_batch
from doneyet.task_types.factorization import Factorization
from doneyet.task_types.schemas.model_check import fault_of
from doneyet.task_types.schemas.model_traits import stable, traits
from doneyet.task_types.schemas.parse_input import FaultyTypeError, InvalidInputError, asked
from task_manager.interface import Claim
from worker.jobs.job_context import RunningJob
from worker.jobs.job_thread import run_job


class Plain(BaseModel):
    """A model with nothing special."""

    n: int = 0


class Value(BaseModel):
    """An output."""

    v: Any = None


def task_type(
    input_model: type[BaseModel] = Plain,
    output_model: type[BaseModel] = Value,
    run: Any = None,
    base: type[TaskType] = TaskType,
    **attributes: Any,
) -> Any:
    """A task type of these models, which answers what it saw unless `run` says otherwise."""

    def seen(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        return [output_model(v=repr(item)) for item in inputs]

    members = {"name": "made", "endpoint": "/made", "Input": input_model, "Output": output_model}
    made = type("Made", (base,), {**members, "run": run or seen, **attributes})
    return made()


def answers(kind: TaskType, *inputs: dict[str, Any]) -> list[Any]:
    """What comes of inputs as clients send them, in one batch."""
    return [
        json.loads(answer.body, object_pairs_hook=_once)
        for answer in run_batch(kind, [asked([kind], one).canonical for one in inputs])
    ]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), f"a name comes twice: {names}"
    return dict(pairs)


class Listed(BaseModel):
    """An input that can be changed in place."""

    x: list[int] = []
    bad: bool = False


def _append_and_raise(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
    for item in inputs:
        item.x.append(0)
    if any(item.bad for item in inputs):
        raise ValueError("a bad one")
    return [Value(v=len(item.x)) for item in inputs]


def test_what_run_changes_is_made_again() -> None:
    """A batch that raised is halved, and each half gets its inputs as they were sent."""
    asks = [{"x": [n], "bad": n == 3} for n in range(6)]
    got = answers(task_type(Listed, run=_append_and_raise), *asks)
    assert [answer.get("v") for answer in got] == [2, 2, 2, None, 2, 2]
    assert [answer["x"] for answer in got] == [[n] for n in range(6)]


def test_what_prepare_changes_is_made_again() -> None:
    """It runs again for each half, and for each input where it raised for all."""

    def prepare(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        for item in inputs:
            item.x.append(7)
        if len(inputs) > 3:
            raise ValueError("too many")
        return inputs

    asks = [{"x": [n], "bad": n == 3} for n in range(6)]
    for part in (asks, asks[2:5]):
        kind = task_type(Listed, run=_append_and_raise, prepare=prepare)
        got = answers(kind, *part)
        assert [answer.get("v") for answer in got] == [None if a["bad"] else 3 for a in part]
        assert [answer["x"] for answer in got] == [a["x"] for a in part]


def test_the_echo_is_what_was_sent() -> None:
    """Whatever `run` does to its inputs, and whether it answers or fails."""

    def lie(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        for item in inputs:
            item.n = 999
        return [Value(v=1), ValueError("failed"), {"w": 1}][: len(inputs)]

    got = answers(task_type(run=lie), {"n": 1}, {"n": 2}, {"n": 3})
    assert [answer["n"] for answer in got] == [1, 2, 3]


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
    module = "tests.tasks.test_models_of_types"
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


RAISED = [KeyError("x"), OSError(28, "full"), SystemExit(1), KeyboardInterrupt(), BaseException()]


class Raising(BaseModel):
    """A validator that raises what it is told to, if it is told to."""

    n: int

    @field_validator("n")
    @classmethod
    def _raise(cls, n: int) -> int:
        if 0 <= n < len(RAISED):
            raise RAISED[n]
        return n


@pytest.mark.parametrize("which", range(len(RAISED)))
def test_a_validator_that_raises_what_it_should_not(
    which: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no fault of the input; said once in the log, with the type's name."""
    with pytest.raises(FaultyTypeError, match="the task type made failed to check this input"):
        asked([task_type(Raising)], {"n": which})
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "task type made" in caplog.text


@pytest.mark.parametrize("which", range(len(RAISED)))
def test_a_validator_that_raises_at_the_worker_fails_its_task_alone(which: int) -> None:
    """Its batch-mates are answered."""
    texts = [b'{"n":%d}' % n for n in (7, which, 8)]
    got = [json.loads(answer.body) for answer in run_batch(task_type(Raising), texts)]
    assert [answer.get("v") for answer in got] == ["Raising(n=7)", None, "Raising(n=8)"]
    assert got[1]["error"]["code"] == "invalid-input"


def test_a_serializer_that_ends_the_process_fails_its_task_alone() -> None:
    """Whatever it raises, while the answer is written."""

    class Ending(BaseModel):
        v: Any = None

        @field_serializer("v")
        def _end(self, v: Any) -> Any:
            if "n=1" in v:
                raise SystemExit(1)
            return v

    bad, good = answers(task_type(output_model=Ending), {"n": 1}, {"n": 2})
    assert bad["error"]["code"] == "invalid-output"
    assert good["v"] == "Plain(n=2)"


@pytest.mark.parametrize("end", [None, SystemExit(1), ValueError("no")], ids=repr)
def test_a_job_may_change_its_input_and_raise_anything(end: BaseException | None) -> None:
    """The echo is what was sent; what it raises fails this job, and not the thread that ran it."""

    def coordinate(_self: TaskType, item: Any, _context: Any) -> Any:
        item.n = 999
        if end is not None:
            raise end
        return Value(v=1)

    kind = task_type(base=Job, coordinate=coordinate)
    claim = Claim("0" * 40, "made", b'{"n":1}', attempts=1, alone=False)
    answer = json.loads(run_job(kind, claim, cast("RunningJob", None)).body)
    assert answer["n"] == 1
    assert ("error" in answer) == (end is not None)


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
