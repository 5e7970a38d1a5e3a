"""One run of a job: items are asked a window at a time and written in order as they finish."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tasks.asking import InvalidInputError, asked
from tasks.base import TaskType
from tasks.batch_items import Item
from tasks.batch_output import Output
from tasks.coordination import AskedTask, Coordination

MOST_UNFINISHED = 1000
"""Items that are asked and not yet written: enough for many workers, and for one round trip."""
MOST_UNFINISHED_BYTES = 32 * 1024 * 1024
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0
SHOWN_ERRORS = 10


class ItemError(BaseModel):
    """Why an item failed."""

    item: int
    line: int | None
    code: str
    detail: str


@dataclass
class Counts:
    """What came of the items."""

    items: int = 0
    failed: int = 0
    errors: list[ItemError] = field(default_factory=list)


@dataclass
class _Open:
    """An item between reading and writing."""

    item: Item
    carried: dict[str, Any]
    task: AskedTask | None
    body: bytes | None = None
    """A JSON object once it is finished."""


@dataclass
class BatchRun:
    """What a job asks of whom, and where the answers go."""

    types: Sequence[TaskType]
    """The task types at one endpoint; the first is the default."""
    source: str
    target: str
    carry: Sequence[str]
    dry_run: bool
    _counts: Counts = field(default_factory=Counts)

    def over(
        self, items: Iterator[Item], total: int, path: Path, coordination: Coordination
    ) -> Counts:
        """Asks all `items`, writes the output to `path`, and counts.

        Raises:
            StoppedError: it is to end now.
        """
        counts = self._counts = Counts()
        window: deque[_Open] = deque()
        wait_s, held_bytes = SHORTEST_WAIT_S, 0
        with path.open("wb") as file:
            output = Output(file, lines=self.target.endswith((".jsonl", ".ndjson")))
            while True:
                room = MOST_UNFINISHED - len(window)
                for item in islice(items, room if held_bytes < MOST_UNFINISHED_BYTES else 0):
                    window.append(opened := self._open(item))
                    held_bytes += len(opened.task.input) if opened.task else 0
                    if held_bytes >= MOST_UNFINISHED_BYTES:
                        break
                if not window:
                    break
                self._ask(window, coordination)
                before = counts.items
                while window and window[0].body is not None:
                    done = window.popleft()
                    held_bytes -= len(done.task.input) if done.task else 0
                    self._write(output, done)
                if not self.dry_run:
                    message = f"{counts.items} of {total} done, {counts.failed} failed"
                    coordination.progress(counts.items / max(1, total), message)
                if counts.items > before:
                    wait_s = SHORTEST_WAIT_S
                if window:
                    coordination.sleep(wait_s)
                    wait_s = min(wait_s * 1.5, self._longest_wait_s())
            output.end()
        return counts

    def _open(self, item: Item) -> _Open:
        """The item as a task, or finished already where it is none."""
        if item.fault is not None:
            return _Open(item, {}, None, _error("invalid-json", item.fault))
        value, carried = item.value, {}
        if isinstance(value, str):
            if (text_field := self.types[0].text_field) is None:
                fault = f"an item of {self.types[0].name} is a JSON object"
                return _Open(item, {}, None, _error("invalid-input", fault))
            value = {text_field: value}
        elif isinstance(value, dict):
            carried = {name: value[name] for name in self.carry if name in value}
            value = {name: part for name, part in value.items() if name not in carried}
        try:
            found = asked(self.types, value)
        except InvalidInputError as error:
            return _Open(item, carried, None, _error("invalid-input", str(error)))
        task = AskedTask(found.type.name, found.id, found.canonical)
        return _Open(item, carried, task, b"{}" if self.dry_run else None)

    def _ask(self, window: deque[_Open], coordination: Coordination) -> None:
        unfinished = [each for each in window if each.body is None]
        tasks = [each.task for each in unfinished if each.task is not None]
        answers = coordination.ask(tasks) if tasks else []
        for each, answer in zip(unfinished, answers, strict=True):
            if answer is not None:
                each.body = answer.body

    def _write(self, output: Output, done: _Open) -> None:
        assert done.body is not None
        counts = self._counts
        counts.items += 1
        body, error = done.body, None
        if done.carried or b'"error"' in body:
            fields = {**done.carried, **json.loads(body)}
            error = fields.get("error")
            if isinstance(error, dict):
                place = {"item": done.item.number, "line": done.item.line}
                fields["error"] = error = {**error, **place}
            body = json.dumps(fields, ensure_ascii=False).encode()
        if isinstance(error, dict):
            counts.failed += 1
            if len(counts.errors) < SHOWN_ERRORS:
                counts.errors.append(ItemError.model_validate(error))
        output.add(body)

    def _longest_wait_s(self) -> float:
        """Asking is what keeps items wanted."""
        shortest_ttl_s = min(kind.input_ttl_s or LONGEST_WAIT_S for kind in self.types)
        return min(LONGEST_WAIT_S, shortest_ttl_s / 3)


def _error(code: str, detail: str) -> bytes:
    return json.dumps({"error": {"code": code, "detail": detail}}).encode()
