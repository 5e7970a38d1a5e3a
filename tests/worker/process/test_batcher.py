"""How claims become batches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from doneyet.task_types import TaskType
from doneyet.task_types.loading import load
from task_manager.values import Claim
from worker.process.batcher import Batch, make_batches, missing


class _Text(BaseModel):
    text: str


class _Kind(TaskType):
    Input, Output = _Text, _Text


class _Priced(_Kind):
    def cost(self, item: Any) -> float:
        return float(len(item.text))


def kind(
    name: str, cls: type[TaskType] = _Kind, *, loaded: bool = True, **limits: Any
) -> dict[str, TaskType]:
    """One task type as in a registry."""
    made = cls()
    made.name = name
    if loaded:
        load(made)
    for limit, value in limits.items():
        setattr(made, limit, value)
    return {name: made}


def claim(name: str, task_id: str, text: str = "x", *, alone: bool = False) -> Claim:
    """A claim on the input `text`."""
    return Claim(task_id, name, b'{"text":"' + text.encode() + b'"}', 1, alone)


def ids(batches: Sequence[Batch]) -> list[list[str]]:
    """The ids of each batch."""
    return [[each.id for each in batch.claims] for batch in batches]


def test_a_batch_holds_one_type_only() -> None:
    """Types come in the order of their first claim."""
    types = {**kind("a", max_batch_size=8), **kind("b", max_batch_size=8)}
    claims = [claim("b", "1"), claim("a", "2"), claim("b", "3")]
    assert ids(make_batches(claims, types)) == [["1", "3"], ["2"]]


def test_a_batch_holds_at_most_max_batch_size() -> None:
    """The last one holds the rest."""
    claims = [claim("a", str(i)) for i in range(5)]
    assert ids(make_batches(claims, kind("a", max_batch_size=2))) == [["0", "1"], ["2", "3"], ["4"]]


def test_a_type_that_does_not_batch_gets_one_at_a_time() -> None:
    """Which is the default."""
    claims = [claim("a", "1"), claim("a", "2")]
    assert ids(make_batches(claims, kind("a"))) == [["1"], ["2"]]


def test_a_suspect_is_run_alone() -> None:
    """A process died with it before, so nobody else is put at risk."""
    claims = [claim("a", "1"), claim("a", "2", alone=True), claim("a", "3")]
    assert ids(make_batches(claims, kind("a", max_batch_size=8))) == [["2"], ["1", "3"]]


def test_inputs_of_like_cost_share_a_batch() -> None:
    """Shorter texts are padded to the longest, so equal lengths waste least."""
    types = kind("a", _Priced, max_batch_size=2)
    claims = [claim("a", "1", "x" * 9), claim("a", "2"), claim("a", "3", "x" * 8), claim("a", "4")]
    assert sorted(ids(make_batches(claims, types))) == [["2", "4"], ["3", "1"]]


def test_the_dearest_input_stands_for_each() -> None:
    """Four inputs of up to 3 tokens make 12 padded ones, and 10 are allowed."""
    types = kind("a", _Priced, max_batch_size=8, max_batch_cost=10.0)
    claims = [claim("a", str(n), "x" * 3) for n in range(4)]
    assert sorted(ids(make_batches(claims, types))) == [["0", "1", "2"], ["3"]]


def test_inputs_are_not_padded_for_more_than_a_batch_costs() -> None:
    """Padding 2 and 3 to 4 tokens wastes 3, padding all of them to 50 far more than 10."""
    types = kind("a", _Priced, max_batch_size=8, batch_overhead=10.0)
    claims = [claim("a", str(length), "x" * length) for length in (50, 2, 4, 3)]
    assert sorted(ids(make_batches(claims, types))) == [["2", "3", "4"], ["50"]]


def test_a_batch_weighs_what_is_computed() -> None:
    """Its dearest input for each of its inputs; without costs, its inputs."""
    (priced,) = make_batches(
        [claim("a", "1", "x" * 3), claim("a", "2", "x")], kind("a", _Priced, max_batch_size=2)
    )
    (plain,) = make_batches([claim("a", "1"), claim("a", "2")], kind("a", max_batch_size=2))
    assert (priced.weight, plain.weight) == (6.0, 2.0)


def test_an_input_above_the_budget_runs_by_itself() -> None:
    """It cannot be made smaller, and must not be lost."""
    types = kind("a", _Priced, max_batch_size=8, max_batch_cost=10.0)
    claims = [claim("a", "1", "x" * 50), claim("a", "2", "x")]
    assert sorted(ids(make_batches(claims, types))) == [["1"], ["2"]]


def test_an_input_that_is_refused_costs_nothing() -> None:
    """It fails on its own when it is run, and does not fail the batching."""
    types = kind("a", _Priced, max_batch_size=8, max_batch_cost=10.0)
    bad = Claim("1", "a", b'{"texxt":1}', 1, alone=False)
    assert ids(make_batches([claim("a", "2"), bad], types)) == [["1", "2"]]


class _Unpriced(_Kind):
    """What an input costs is what its text says in Python."""

    def cost(self, item: Any) -> float:
        price: float = eval(item.text)
        return price


@pytest.mark.parametrize(
    "price",
    ["'3'", "None", "-1", "10**400", "float('nan')", "float('inf')", "1 / 0", "exit(3)", "[]"],
)
def test_an_input_without_a_usable_cost_is_refused(price: str) -> None:
    """Its failure says why; the others are grouped as ever."""
    types = kind("a", _Unpriced, max_batch_size=2, max_batch_cost=10.0)
    claims = [claim("a", each, each) for each in ("1", price, "2", "True")]
    ready = {
        one.id: each.prepared
        for batch in make_batches(claims, types)
        for one, each in zip(batch.claims, batch.ready or (), strict=True)
    }
    assert ready.keys() == {"1", price, "2", "True"}
    assert isinstance(ready.pop(price), BaseException)
    assert all(isinstance(each, _Text) for each in ready.values())


class _Prepares(_Priced):
    """What runs are lengths; `no` is refused, `boom` fails whatever is prepared with it."""

    def prepare(self, inputs: Sequence[Any]) -> Sequence[Any]:
        if len(inputs) > 1 and any(item.text == "boom" for item in inputs):
            raise RuntimeError("boom")
        return [ValueError("no") if item.text == "no" else item for item in inputs]


def test_inputs_are_prepared_ahead() -> None:
    """In the thread that makes batches; the one that runs them gets what came of it."""
    types = kind("a", _Prepares, max_batch_size=8)
    (batch,) = make_batches([claim("a", "1", "yes"), claim("a", "2", "no")], types)
    assert batch.ready is not None
    prepared = {each.id: one.prepared for each, one in zip(batch.claims, batch.ready, strict=True)}
    assert prepared["1"] == _Text(text="yes")
    assert isinstance(prepared["2"], ValueError)


def test_preparing_isolates_what_fails() -> None:
    """As running does."""
    types = kind("a", _Prepares, max_batch_size=8)
    (batch,) = make_batches([claim("a", "1", "boom"), claim("a", "2", "yes")], types)
    assert batch.ready is not None
    assert all(isinstance(each.prepared, _Text) for each in batch.ready)


def test_nothing_is_prepared_before_the_type_is_loaded() -> None:
    """Its tokenizer is not there yet; the thread that runs the batch loads it first."""
    types = kind("a", _Prepares, max_batch_size=8, loaded=False)
    (batch,) = make_batches([claim("a", "1", "yes")], types)
    assert batch.ready is None


def test_batches_of_a_priced_type_come_in_no_order() -> None:
    """Claims that cannot begin soon go back, and dear ones must not always be those."""
    types = kind("a", _Priced, max_batch_size=1)
    claims = [claim("a", "cheap"), claim("a", "dear", "x" * 9)]
    firsts = {ids(make_batches(claims, types))[0][0] for _ in range(64)}
    assert firsts == {"cheap", "dear"}


def test_batches_of_a_priced_type_come_in_order_where_that_is_promised() -> None:
    """Inputs of like cost together all the same; the batch of the first claim comes first."""
    types = kind("a", _Priced, max_batch_size=2)
    texts = {"1": "x" * 9, "2": "", "3": "", "4": "x" * 9, "5": "x" * 90}
    claims = [claim("a", name, text) for name, text in texts.items()]
    firsts = [min(each) for each in ids(make_batches(claims, types, in_order=True))]
    assert firsts == ["1", "2", "5"]


def test_only_the_last_batch_is_marked_so() -> None:
    """The mark says when to store results and ask for more."""
    batches = make_batches([claim("a", str(n)) for n in range(3)], kind("a"))
    assert [batch.last for batch in batches] == [False, False, True]
    assert make_batches([], kind("a")) == []


def test_a_batch_that_waits_tells_how_many_are_missing() -> None:
    """Counted without suspects, which get batches of their own."""
    waiting = kind("a", max_batch_size=4, batch_wait_ms=5.0)["a"]
    claims = [claim("a", str(n)) for n in range(6)]
    assert missing(claims, waiting) == 2
    assert missing([*claims, claim("a", "7", alone=True)], waiting) == 2
    assert missing(claims[:4], waiting) == 0
    assert missing(claims, kind("a", max_batch_size=4)["a"]) == 0


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.booleans()), max_size=60),
    st.integers(1, 9),
    st.integers(1, 60),
)
def test_every_claim_is_in_one_batch_within_all_limits(
    wanted: list[tuple[str, int, bool]], most: int, most_cost: int
) -> None:
    """Whatever comes, in whatever mixture."""
    types = {
        **kind("a", max_batch_size=most),
        **kind("b", _Priced, max_batch_size=most, max_batch_cost=float(most_cost)),
        **kind("c"),
    }
    claims = [
        claim(name, str(n), "x" * length, alone=alone)
        for n, (name, length, alone) in enumerate(wanted)
    ]
    batches = make_batches(claims, types)
    assert sorted(chain.from_iterable(ids(batches))) == sorted(each.id for each in claims)
    for batch in batches:
        assert {each.type for each in batch.claims} == {batch.type.name}
        assert len(batch.claims) <= batch.type.max_batch_size
        assert len(batch.claims) == 1 or not any(each.alone for each in batch.claims)
        if batch.type.max_batch_cost is not None and len(batch.claims) > 1:
            lengths = [len(each.input) - len(b'{"text":""}') for each in batch.claims]
            assert max(lengths) * len(lengths) <= most_cost
