"""From the statuses of tasks to the response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from doneyet.task_types import TaskType
from http_server.submit.chain import Outcome
from http_server.submit.parse import Parsed
from http_server.wire.problem import AWAY, no_status, unavailable
from http_server.wire.response import JSON, RETRY_AFTER, PlainResponse, problem_response
from task_manager.errors import NoStatusError, TypeUnavailableError
from task_manager.values import Status

Write = Callable[[TaskType, Status, bytes], bytes]
"""Writes the answer object of one task from its type, status and echo."""


def render(
    parsed: Parsed,
    outcomes: Sequence[Outcome],
    write: Write,
    waited_s: float | None,
    kept_s: float | None = None,
) -> PlainResponse:
    """The response: one answer object, or the array of what each item alone would get.

    `waited_s` and `kept_s` are the wishes to wait and to be kept that were respected."""
    headers = []
    if waited_s is not None or kept_s is not None:
        applied = [f"wait={waited_s:g}"] if waited_s is not None else []
        applied += [f"keep={kept_s:.10g}"] if kept_s is not None else []
        headers.append(("preference-applied", ", ".join(applied)))
    if parsed.is_array:
        is_away = outcomes and all(isinstance(each, TypeUnavailableError) for each in outcomes)
        if is_away and not parsed.problems:
            return problem_response(unavailable(AWAY))  # as where Redis is away as a whole
        parts = []
        pending = False
        for task, outcome in zip(parsed.tasks, outcomes, strict=True):
            if isinstance(outcome, NoStatusError):
                parts.append(no_status(outcome).as_json())
            else:
                parts.append(write(task.task_type, outcome, task.echo))
                pending = pending or not outcome.state.terminal
        if pending:
            headers.append(RETRY_AFTER)
        for place, problem in parsed.problems.items():  # in the order of their places
            parts.insert(place, problem)
        return PlainResponse(b"[" + b",".join(parts) + b"]", HTTPStatus.OK, JSON, headers)
    (task,), (outcome,) = parsed.tasks, outcomes
    if isinstance(outcome, NoStatusError):
        return problem_response(no_status(outcome))
    answer = write(task.task_type, outcome, task.echo)
    if outcome.state.terminal:
        return PlainResponse(answer, HTTPStatus.OK, JSON, headers)
    headers += [("location", f"/tasks/{task.id}"), RETRY_AFTER]
    return PlainResponse(answer, HTTPStatus.ACCEPTED, JSON, headers)
