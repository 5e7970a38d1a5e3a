"""What may be an input: JSON's own types, and what numpy, pandas and pydantic have."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import json
import pathlib
import subprocess
import sys
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
from pydantic import BaseModel

from doneyet.client.inputs import all_to_json, to_json
from tests.client.conftest import MakeClient, MakeStub
from tests.client.stub_server import Says, done, in_turn


class Flower(BaseModel):
    petals: list[float]
    seen: dt.date = dt.date(2026, 1, 2)


@dataclasses.dataclass
class Point:
    x: float
    of: Flower


class Row:
    """As a row or a column of pandas, which the client does not need to know."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def to_dict(self) -> dict[str, Any]:
        return dict(self._values)

    def tolist(self) -> list[Any]:
        return list(self._values.values())


class Frame:
    """As a data frame of pandas: it iterates over its columns' names."""

    columns = ("number", "text")

    def to_dict(self, form: str) -> list[dict[str, Any]]:
        assert form == "records"
        return [{"number": np.int64(1), "text": "a"}, {"number": np.int64(2), "text": "b"}]

    def __iter__(self) -> Any:
        return iter(self.columns)


class Pair(NamedTuple):
    number: int
    text: str


ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("item", "meant"),
    [
        ({"x": ARRAY[0]}, {"x": [0.0, 1.0, 2.0]}),
        ({"x": ARRAY}, {"x": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]}),
        ({"x": [ARRAY[0], (ARRAY[1],)]}, {"x": [[0.0, 1.0, 2.0], [[3.0, 4.0, 5.0]]]}),
        (
            {"n": np.int64(5), "f": np.float32(0.5), "b": np.bool_(True)},
            {"n": 5, "f": 0.5, "b": True},
        ),
        ({"s": np.str_("a"), "z": np.array(7)}, {"s": "a", "z": 7}),
        (MappingProxyType({"n": range(3)}), {"n": [0, 1, 2]}),
        (Flower(petals=[1, 2]), {"petals": [1.0, 2.0], "seen": "2026-01-02"}),
        (Point(1.0, Flower(petals=[])), {"x": 1.0, "of": {"petals": [], "seen": "2026-01-02"}}),
        (Row({"number": np.int64(3), "x": ARRAY[0]}), {"number": 3, "x": [0.0, 1.0, 2.0]}),
        ({"column": Row({"a": 1.5, "b": 2.5})}, {"column": [1.5, 2.5]}),
        ({"rows": Frame()}, {"rows": [{"number": 1, "text": "a"}, {"number": 2, "text": "b"}]}),
        (Pair(5, "a"), {"number": 5, "text": "a"}),
        ({"pair": Pair(5, "a")}, {"pair": [5, "a"]}),
        ({"big": 10**40, "nothing": None}, {"big": 10**40, "nothing": None}),
    ],
)
def test_what_has_a_plain_meaning(item: Any, meant: Any) -> None:
    """Is taken, at any depth."""
    assert json.loads(to_json(item)) == meant


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"a": {"b": [1, decimal.Decimal("1.5")]}}, r"^a/b/1: a Decimal is not JSON serializable"),
        ({"when": dt.datetime(2026, 1, 2, tzinfo=dt.UTC)}, r"^when: a datetime is not JSON"),
        ({"id": uuid.UUID(int=0)}, r"^id: a UUID is not JSON"),
        ({"file": pathlib.Path("a")}, r"^file: .*Path is not JSON"),
        ({"text": b"a"}, r"^text: a bytes is not JSON serializable; give text"),
        ({"tags": {"a"}}, r"^tags: a set is not JSON serializable; give a list"),
        ({"z": np.array([1j])}, r"^z/0: a complex is not JSON"),
        ({"kind": Flower}, r"^kind: a ModelMetaclass is not JSON"),
        ({("a", 1): 1}, r"^the name \('a', 1\) is not a string"),
    ],
)
def test_what_has_none_is_told_by_its_field(item: Any, told: str) -> None:
    """And what to do about it."""
    with pytest.raises(TypeError, match=told):
        to_json(item)


@pytest.mark.parametrize(
    "value", [float("nan"), float("-inf"), np.float32("nan"), np.array([1, np.inf])]
)
def test_numbers_that_json_lacks(stub: MakeStub, client_of: MakeClient, value: Any) -> None:
    """Are refused here, by their fields, and nothing is sent."""
    server = stub(in_turn(Says(200, done(1))))
    with pytest.raises(ValueError, match=r"^x/y(/1)?: -?(nan|inf) is not JSON compliant"):
        client_of(server).run("double", x={"y": value})
    with pytest.raises(ValueError, match=r"^input 1: x(/1)?: "):
        client_of(server).map("double", [{"x": 1}, {"x": value}])
    assert not server.asked


def test_what_holds_itself() -> None:
    """Is told, too."""
    item: dict[str, Any] = {}
    item["again"] = item
    with pytest.raises(ValueError, match="nested too deep, or within itself"):
        to_json(item)


def test_a_data_frame_is_its_rows() -> None:
    """As inputs of a map, with their number in errors."""
    texts = list(all_to_json(Frame()))
    assert [json.loads(text)["text"] for text in texts] == ["a", "b"]


def test_a_row_and_fields(stub: MakeStub, client_of: MakeClient) -> None:
    """One input may be both."""
    server = stub(in_turn(Says(200, done(1))))
    client_of(server).run("double", Flower(petals=[1]), extra=np.int8(1))
    assert server.asked[0].body == {"petals": [1.0], "seen": "2026-01-02", "extra": 1}
    with pytest.raises(TypeError, match="an input has named fields; a ndarray has none"):
        client_of(server).run("double", ARRAY)


def test_nothing_of_others_is_imported() -> None:
    """Whoever has no numpy needs none."""
    code = (
        "import sys, doneyet.client; assert not {'numpy', 'pandas', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
