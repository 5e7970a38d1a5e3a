"""From a request's body to tasks, or to the problems that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from doneyet.task_types import TaskType
from doneyet.task_types.schemas.parse_input import FaultyTypeError, InvalidInputError, asked
from http_server.submit.bounded_cache import BoundedCache
from http_server.submit.chain import ParsedTask
from http_server.wire.body import meaning
from http_server.wire.problem import Problem, invalid_input
from task_manager.values import NOBODY, Asker

MOST_ITEMS = 10_000
"""Inputs in one array: some hundred milliseconds of this process' time."""

MOST_ERRORS_OF_ARRAY = 1000
"""Wrong fields named in the answer to one array; further items say what is wrong first."""

_OVERHEAD_BYTES = 700  # of Python objects around one body


class Body(NamedTuple):
    """All that a request's meaning depends on."""

    path: str
    content_type: str
    query: str
    raw: bytes
    asker: Asker = NOBODY


class Parsed(NamedTuple):
    """What a body asks for."""

    tasks: Sequence[ParsedTask]
    problems: Mapping[int, bytes]
    """Problem objects, by the places of an array that have no task."""
    is_array: bool


class InputParser:
    """Reads and validates the inputs of some task types, the first of which is the default."""

    def __init__(self, types: Sequence[TaskType]) -> None:
        self._types = types

    def parse(self, body: Body) -> Parsed:
        """The tasks.

        Raises:
            Problem: the body, or its one input, is not valid.
        """
        value = meaning(body.raw, body.content_type, body.query, self._types)
        if not isinstance(value, list):
            return Parsed([self._task(value, body.asker)], {}, is_array=False)
        if len(value) > MOST_ITEMS:
            raise Problem(
                413,
                "too-large",
                f"an array may have at most {MOST_ITEMS} inputs, not {len(value)}; "
                "send several arrays",
            )
        tasks: list[ParsedTask] = []
        problems: dict[int, bytes] = {}
        errors = 0
        for place, item in enumerate(value):
            try:
                tasks.append(self._task(item, body.asker))
            except Problem as problem:
                errors += len(problem.errors)
                problems[place] = problem.as_json(brief=errors > MOST_ERRORS_OF_ARRAY)
        return Parsed(tasks, problems, is_array=True)

    def _task(self, value: Any, asker: Asker) -> ParsedTask:
        try:
            task_type, _, canonical, task_id, echo = asked(self._types, value)
        except InvalidInputError as error:
            raise invalid_input(
                [{"pointer": at, "detail": text} for at, text in error.errors]
            ) from None
        except FaultyTypeError as error:
            raise Problem(500, "internal-error", str(error)) from None
        task = ParsedTask(task_id, task_type.name, canonical, task_type, echo)
        task.asker = asker
        return task


class BodyCache:
    """A parser that remembers: what a body means depends on nothing but the body."""

    def __init__(self, inner: InputParser, kept: BoundedCache[Body, Parsed]) -> None:
        self._inner, self._kept = inner, kept

    def parse(self, body: Body) -> Parsed:
        """As `InputParser.parse`."""
        parsed = self._kept.get(body)
        if parsed is None:
            parsed = self._inner.parse(body)
            if not parsed.problems:
                size = sum(map(len, body[:4])) + sum([task.size for task in parsed.tasks])
                self._kept.put(body, parsed, size + _OVERHEAD_BYTES)
        return parsed
