"""One run of a job, with other tasks that answer as the tests say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from doneyet.task_types import Registry, TaskType
from doneyet.task_types.answer import Answer, failure
from doneyet.task_types.batch.items import Item
from doneyet.task_types.batch.run import MOST_ITEM_BYTES, MOST_UNFINISHED, BatchRun, Counts
from doneyet.task_types.job import AskedTask


class Upper(TaskType):
    """Texts in capitals."""

    name, endpoint, text_field = "upper", "/upper", "text"
    input_ttl_s = 60.0

    class Input(BaseModel):
        text: str
        key: int | None = None

    class Output(BaseModel):
        upper: str


class Others:
    """A job's context whose tasks finish as `answer` says; None: not yet."""

    registry = Registry({})

    def __init__(self, answer: Callable[[dict[str, Any]], Answer | None] | None = None) -> None:
        self._answer = answer or _upper
        self.asked: list[list[str]] = []
        self.slept: list[float] = []
        self.said: list[str] = []

    def ask(self, tasks: Sequence[AskedTask]) -> list[Answer | None]:
        self.asked.append([json.loads(task.input)["text"] for task in tasks])
        return [self._answer(json.loads(task.input)) for task in tasks]

    def progress(self, fraction: float, message: str = "") -> None:
        self.said.append(message)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def _upper(given: dict[str, Any]) -> Answer:
    return Answer(True, json.dumps({**given, "upper": given["text"].upper()}).encode())


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[Counts, list[Any]]]:
    """Runs a job over values; what was counted and what was written."""

    def do(
        values: Iterable[Any], others: Others | None = None, **options: Any
    ) -> tuple[Counts, list[Any]]:
        items = [Item(number, None, value) for number, value in enumerate(values, 1)]
        given = {"types": [Upper()], "source": "in", "target": "out.json", "carry": []}
        job = BatchRun(**{**given, "dry_run": False, **options})
        path = tmp_path / "out"
        counts = job.over(iter(items), len(items), path, others or Others())
        text = path.read_text()
        if job.target == "out.json":
            return counts, json.loads(text)
        return counts, [json.loads(line) for line in text.splitlines()]

    return do


Run = Callable[..., tuple[Counts, list[Any]]]


def test_a_text_is_an_item(run: Run) -> None:
    """Where the task takes one text."""
    _, written = run(["a", {"text": "b"}])
    assert [each["upper"] for each in written] == ["A", "B"]


def test_the_order_is_the_inputs(run: Run) -> None:
    """Though the first item finishes last; the others wait for it."""
    rounds = iter(range(100))

    def answer(given: dict[str, Any]) -> Answer | None:
        return None if given["text"] == "a" and next(rounds) < 3 else _upper(given)

    others = Others(answer)
    _, written = run("abc", others)
    assert [each["text"] for each in written] == ["a", "b", "c"]
    assert others.asked == [["a", "b", "c"], ["a"], ["a"], ["a"]]


def test_patience_grows_and_ends(run: Run) -> None:
    """Asked after 50 ms at first, after 1 s at last, often enough to stay wanted."""
    rounds = iter(range(100))
    others = Others(lambda given: None if next(rounds) < 12 else _upper(given))
    run(["a"], others)
    assert others.slept[0] == pytest.approx(0.05)
    assert others.slept == sorted(others.slept)
    assert others.slept[-1] == pytest.approx(1.0)
    kind = Upper()
    kind.input_ttl_s = 0.6
    others = Others(lambda given: None if next(rounds) < 30 else _upper(given))
    run(["a"], others, types=[kind])
    assert max(others.slept) == pytest.approx(0.2)


def test_no_more_than_a_window_is_open(run: Run) -> None:
    """However many items there are, and fewer where they are large."""
    others = Others()
    counts, _ = run((f"t{n}" for n in range(2 * MOST_UNFINISHED + 5)), others)
    assert [len(asked) for asked in others.asked] == [MOST_UNFINISHED, MOST_UNFINISHED, 5]
    assert counts.items == 2 * MOST_UNFINISHED + 5
    others = Others()
    run((str(n) * (7 << 20) for n in range(8)), others)
    assert [len(asked) for asked in others.asked] == [5, 3]


def test_one_item_may_be_too_large(run: Run) -> None:
    """It fails alone, and never reaches Redis."""
    others = Others()
    counts, written = run(["x" * MOST_ITEM_BYTES, "b"], others)
    assert (counts.items, counts.failed) == (2, 1)
    assert written[0]["error"]["code"] == "too-large"
    assert others.asked == [["b"]]


def test_carried_fields(run: Run) -> None:
    """They come along, also beside an error; outputs win over them, inputs stay inputs."""
    values = [
        {"text": "a", "title": {"de": "Ä"}, "upper": "mine", "key": 1},
        {"text": 5, "title": "b"},
    ]
    _, (good, bad) = run(values, carry=["title", "upper", "key"])
    assert good == {"title": {"de": "Ä"}, "text": "a", "key": 1, "upper": "A"}
    assert bad["title"] == "b"
    assert bad["error"]["code"] == "invalid-input"


def test_what_is_no_field_fails_the_item(run: Run) -> None:
    """Unless it is carried: a typing error must not compute the wrong thing."""
    _, (bad, worse) = run([{"text": "a", "titel": "b"}, 7])
    assert "/titel: not a field of this input" in bad["error"]["detail"]
    assert bad["error"]["item"] == 1
    assert "JSON object" in worse["error"]["detail"]


def test_failures_are_counted_and_the_first_ones_told(run: Run) -> None:
    """Whatever their message is made of; a success may speak of errors."""

    def answer(given: dict[str, Any]) -> Answer:
        if given["text"].startswith("bad"):
            return failure("task-failed", "half a pair: \ud800", json.dumps(given).encode())
        return _upper(given)

    values = ['"error"', *(f"bad{n}" for n in range(12))]
    counts, written = run(values, Others(answer), target="out.jsonl")
    assert (counts.items, counts.failed, len(counts.errors)) == (13, 12, 10)
    assert written[0]["upper"] == '"ERROR"'
    assert written[1]["error"]["detail"] == "half a pair: ?"
    assert written[1]["text"] == "bad0"


def test_progress(run: Run) -> None:
    """Is told in words each round."""
    others = Others()
    run(["a", 1], others)
    assert others.said == ["2 of 2 done, 1 failed"]


def test_a_dry_run_asks_nothing(run: Run) -> None:
    """And finds what is wrong."""
    others = Others()
    counts, _ = run(["a", 1], others, dry_run=True)
    assert (counts.items, counts.failed, others.asked) == (2, 1, [])
