"""The errors of the client.

ClientError
├── ProblemError               the server refused; its problem object is in .problem
│   ├── UnauthorizedError      the server wants a key, or does not know the one that was sent
│   ├── ForbiddenError         the key does not permit this, or the server refuses whoever asks
│   ├── InvalidInputError      the input is wrong; .errors says which fields and why
│   ├── NotFoundError          no such endpoint, or the task is unknown or expired
│   ├── AlreadyTerminalError   the task is done, so it cannot be cancelled
│   └── UnavailableError       cannot be reached, or cannot serve now; retrying may work
├── UnexpectedAnswerError      what answers there is not doneyet
├── TaskFailedError            the task ran and failed; .answer has the whole answer
│   └── TaskCancelledError     somebody cancelled the task
├── NotDoneError               the task is not done within the time given
└── SomeFailedError            some inputs of a map failed; .answers has the others' answers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

Answer = dict[str, Any]
"""An answer object: the echoed input, outputs, `done`, `load`, `id`, `status`."""


class ClientError(Exception):
    """Raised when there is no answer; the base of all errors here."""

    code = "client-error"
    """What went wrong, for programs; a failed task names its own."""

    def to_dict(self) -> dict[str, Any]:
        """The error as `python -m doneyet.client map` writes it: `code`, `detail`, perhaps more."""
        return {"code": self.code, "detail": str(self)}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with an input: where (a JSON pointer, as in `/number`) and what."""

    pointer: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}" if self.field else self.detail

    @property
    def field(self) -> str:
        """The pointer as people write it: `number`, `texts/0`; empty for the whole input."""
        parts = self.pointer.removeprefix("#").removeprefix("/").split("/")
        return "/".join(part.replace("~1", "/").replace("~0", "~") for part in parts)


class ProblemError(ClientError):
    """Raised when the server refuses a request with a problem object (RFC 9457)."""

    code = "refused"

    def __init__(self, message: str, *, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status; 0 where no server answered."""
        self.problem = dict(problem)
        self.retry_after_s: float | None = None
        """Seconds after which the server says to retry, if it says so."""


class UnauthorizedError(ProblemError):
    """Raised when the server wants a key: none was sent, or one that it does not know."""

    code = "unauthorized"


class ForbiddenError(ProblemError):
    """Raised when the key does not permit the request, or the server refuses it from anybody."""

    code = "forbidden"


class InvalidInputError(ProblemError):
    """Raised when the input is wrong; the message names the fields."""

    code = "invalid-input"

    @property
    def errors(self) -> list[FieldError]:
        """One item per wrong field; empty where the input as a whole was refused."""
        return field_errors(self.problem)

    def to_dict(self) -> dict[str, Any]:
        """As in `ClientError`, with the pointers in `errors`."""
        wrong = [{"pointer": error.pointer, "detail": error.detail} for error in self.errors]
        return {**super().to_dict(), "errors": wrong}


class NotFoundError(ProblemError):
    """Raised when there is no such endpoint, or the task is unknown or expired."""

    code = "not-found"


class AlreadyTerminalError(ProblemError):
    """Raised when the task to cancel is done."""

    code = "already-terminal"


class UnavailableError(ProblemError):
    """Raised when the server was unreachable or too busy for longer than the client's patience."""

    code = "unavailable"


class UnexpectedAnswerError(ClientError):
    """Raised when something that does not speak doneyet's protocol answers at the URL."""

    code = "unexpected-answer"


class TaskFailedError(ClientError):
    """Raised when the task ran and failed; submitting it later runs it again."""

    def __init__(self, answer: Answer) -> None:
        error = answer.get("error") or {}
        self.answer = answer
        self.code = str(error.get("code", "task-failed"))
        self.detail = str(error.get("detail", "the task failed without saying why"))
        super().__init__(answer)

    def __str__(self) -> str:
        return self.detail


class TaskCancelledError(TaskFailedError):
    """Raised when somebody cancelled the task; submitting it again starts it anew."""

    def __str__(self) -> str:
        return "the task was cancelled"


class NotDoneError(ClientError, TimeoutError):
    """Raised when the task is not done within `timeout_s`; it goes on while it is kept alive."""

    code = "not-done"

    def __init__(self, answer: Answer | None, timeout_s: float) -> None:
        super().__init__(answer, timeout_s)
        self.answer, self.timeout_s = answer, timeout_s
        """The last pending answer, None where there was none."""

    def __str__(self) -> str:
        how = self.answer["status"] if self.answer else "unanswered"
        return f"still {how} after {self.timeout_s:g} s; call again to keep waiting"


class SomeFailedError(ClientError):
    """Raised when a map is complete and some of its inputs failed.

    `answers` holds what every input came to, in order, an exception where it failed; `errors`
    holds the exceptions alone, by index.
    """

    code = "some-failed"

    def __init__(self, answers: Sequence[Answer | ClientError]) -> None:
        super().__init__(answers)
        self.answers = list(answers)
        self.errors = {i: item for i, item in enumerate(answers) if isinstance(item, ClientError)}

    def __str__(self) -> str:
        index, first = next(iter(self.errors.items()))
        return (
            f"{len(self.errors)} of {len(self.answers)} inputs failed, the first at index {index}: "
            f"{type(first).__name__}: {first}"
        )


_BY_STATUS: dict[int, type[ProblemError]] = {
    400: InvalidInputError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: AlreadyTerminalError,
    413: InvalidInputError,
    415: InvalidInputError,
    422: InvalidInputError,
    429: UnavailableError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def problem_error(status: int, problem: Mapping[str, Any]) -> ProblemError:
    """The exception for a problem object that came with `status`; its message names the fields."""
    wrong = "; ".join(map(str, field_errors(problem)))
    said = problem.get("detail") or problem.get("title") or f"the server answered {status}"
    if status == HTTPStatus.UNAUTHORIZED:
        said = f"{said} (set DONEYET_KEY, or give Client a key)"
    return _BY_STATUS.get(status, ProblemError)(wrong or str(said), status=status, problem=problem)


def field_errors(problem: Mapping[str, Any]) -> list[FieldError]:
    """The problem's `errors` member, without what is not of its form."""
    listed = problem.get("errors")
    return [
        FieldError(str(item.get("pointer", "")), str(item.get("detail", "")))
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, Mapping)
    ]
