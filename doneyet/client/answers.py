"""Telling answer objects from problem objects, and answers from failures."""

from __future__ import annotations

from typing import Any

from doneyet.client.errors import (
    Answer,
    ClientError,
    ProblemError,
    TaskCancelledError,
    TaskFailedError,
    UnexpectedAnswerError,
    problem_error,
)

Outcome = Answer | ClientError
"""What an input came to."""


def read_answer(item: Any) -> Answer:
    """`item` as an answer object; `done` is added where it is missing.

    A server without a queue (`--synchronous`) answers in the same request, so it says no `done`.

    Raises:
        UnexpectedAnswerError: it is none.
    """
    if isinstance(item, dict) and isinstance(item.get("done", True), bool):
        return item if "done" in item else {**item, "done": True}
    raise UnexpectedAnswerError("the reply is not an answer object; is this a doneyet server?")


def read_item(item: Any) -> Answer | ProblemError:
    """`item`, from an array of answers: an answer object, or an error where it is a problem object.

    Raises:
        UnexpectedAnswerError: it is neither.
    """
    # An answer's `status` is a word, a problem's is a number.
    if isinstance(item, dict) and "done" not in item and isinstance(item.get("status"), int):
        return problem_error(item["status"], item)
    return read_answer(item)


def outcome_of(answer: Answer) -> Outcome:
    """`answer`, which is done, or the error that it tells of."""
    if answer.get("status") == "cancelled":
        return TaskCancelledError(answer)
    return TaskFailedError(answer) if answer.get("error") is not None else answer
