"""One run of a job: items are submitted a window at a time and written in order."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel

from doneyet.task_types.answer import Answer, failure
from doneyet.task_types.base import TaskType
from doneyet.task_types.batch.compression import created, plain_name
from doneyet.task_types.batch.items import Item
from doneyet.task_types.batch.output import Output
from doneyet.task_types.batch.storage.errors import FULL
from doneyet.task_types.batch.storage.scratch import scratch_error
from doneyet.task_types.job import AskedTask, JobContext
from doneyet.task_types.schemas.field_names import all_read_names, read_names
from doneyet.task_types.schemas.parse_input import (
    MODEL,
    FaultyTypeError,
    InvalidInputError,
    asked,
    models,
)

MOST_UNFINISHED = 1000
"""Items that are submitted and not yet written: enough for many workers, and for one round trip."""
MOST_UNFINISHED_BYTES = 32 * 1024 * 1024
MOST_ITEM_BYTES = 8 * 1024 * 1024
"""One input, as it lies in Redis; as much as an HTTP request may have."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0
SHOWN_ERRORS = 10


@contextmanager
def _scratch(path: Path, name: str) -> Iterator[BinaryIO]:
    """The file at `path`, compressed as `name` says."""
    try:
        with created(path, name) as file:
            yield file
    except OSError as error:
        if error.errno in FULL:  # asking other tasks writes to no disk
            raise scratch_error(error) from error
        raise


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
    answer: Answer | None = None

    @property
    def size(self) -> int:
        """Bytes that are held for it, with what is carried."""
        return self.item.size + (len(self.task.input) if self.task else 0)


@dataclass
class BatchRun:
    """What a job reads, to which types it submits, and where the answers go."""

    types: Sequence[TaskType]
    """The task types at one endpoint; the first is the default."""
    source: str
    target: str
    carry: Sequence[str]
    dry_run: bool
    _counts: Counts = field(default_factory=Counts)

    def over(self, items: Iterator[Item], total: int, path: Path, context: JobContext) -> Counts:
        """Asks all `items`, writes the output to `path`, and counts.

        Raises:
            StoppedError: it is to end now.
            ScratchError: `path` cannot be written.
        """
        counts = self._counts = Counts()
        window: deque[_Open] = deque()
        wait_s, held_bytes = SHORTEST_WAIT_S, 0
        with _scratch(path, self.target) as file:
            lines = plain_name(self.target).endswith((".jsonl", ".ndjson"))
            output = Output(file, lines=lines)
            while True:
                room = MOST_UNFINISHED - len(window)
                for item in islice(items, room if held_bytes < MOST_UNFINISHED_BYTES else 0):
                    window.append(opened := self._open(item))
                    held_bytes += opened.size
                    if held_bytes >= MOST_UNFINISHED_BYTES:
                        break
                if not window:
                    break
                self._ask(window, context)
                before = counts.items
                while window and (answer := window[0].answer) is not None:
                    done = window.popleft()
                    held_bytes -= done.size
                    output.add(self._element(done, answer))
                if not self.dry_run:
                    message = f"{counts.items} of {total} done, {counts.failed} failed"
                    context.progress(counts.items / max(1, total), message)
                if counts.items > before:
                    wait_s = SHORTEST_WAIT_S
                if window:
                    context.sleep(wait_s)
                    wait_s = min(wait_s * 1.5, self._longest_wait_s())
            output.end()
        return counts

    def _open(self, item: Item) -> _Open:
        """The item as a task, or finished already where it is none."""
        if item.fault is not None:
            return _Open(item, {}, None, failure("invalid-json", item.fault))
        value, carried = item.value, {}
        if isinstance(value, str):
            if (text_field := self.types[0].text_field) is None:
                fault = f"an item of {self.types[0].name} is a JSON object"
                return _Open(item, {}, None, failure("invalid-input", fault))
            value = {read_names(self.types[0].Input)[text_field][0]: value}
        elif isinstance(value, dict):
            carried = {name: value[name] for name in self.carry if name in value}
            dropped = carried.keys() - self._inputs()
            value = {name: part for name, part in value.items() if name not in dropped}
        try:
            found = asked(self.types, value)
        except InvalidInputError as error:
            return _Open(item, carried, None, failure("invalid-input", str(error)))
        except FaultyTypeError as error:
            return _Open(item, carried, None, failure("task-failed", str(error)))
        if (size := len(found.canonical)) > MOST_ITEM_BYTES:
            fault = f"the input has {size} bytes; at most {MOST_ITEM_BYTES} are taken"
            return _Open(item, carried, None, failure("too-large", fault))
        task = AskedTask(found.type.name, found.id, found.canonical)
        return _Open(item, carried, task, Answer(True, b"{}") if self.dry_run else None)

    def _inputs(self) -> set[str]:
        """Names that mean something to the task, so that carrying them takes them from nobody."""
        names = {name for kind in self.types for name in all_read_names(kind.Input)}
        return names | {MODEL} if models(self.types) else names

    def _ask(self, window: deque[_Open], context: JobContext) -> None:
        unfinished = [each for each in window if each.answer is None]
        tasks = [each.task for each in unfinished if each.task is not None]
        answers = context.ask(tasks) if tasks else []
        for each, answer in zip(unfinished, answers, strict=True):
            each.answer = answer

    def _element(self, done: _Open, answer: Answer) -> bytes:
        """What the output has in the item's place."""
        counts = self._counts
        counts.items += 1
        if answer.done and not done.carried:
            return answer.body
        fields = {**done.carried, **json.loads(answer.body)}
        if not answer.done:
            error = {**fields["error"], "item": done.item.number, "line": done.item.line}
            fields["error"] = error
            counts.failed += 1
            if len(counts.errors) < SHOWN_ERRORS:
                counts.errors.append(ItemError.model_validate(error))
        try:
            return json.dumps(fields, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # an exception's message may have half a surrogate pair
            return json.dumps(fields).encode()

    def _longest_wait_s(self) -> float:
        """Submitting is what keeps items alive."""
        shortest_ttl_s = min(kind.input_ttl_s or LONGEST_WAIT_S for kind in self.types)
        return min(LONGEST_WAIT_S, shortest_ttl_s / 3)
