"""What can go wrong in a task manager.

TaskManagerError
├── UnavailableError              Redis cannot be reached, or refuses for now
│   ├── PartlyUnavailableError    so for some task types, and what is asked of others is done
│   └── MisconfiguredError        Redis refuses until somebody changes a setting, its or ours
│       └── UnsupportedServerError    Redis is too old
├── NoStatusError                 a submit tells no status of one of its tasks
│   ├── OverloadedError               its type has as many tasks as it may have
│   ├── ClientOverloadedError         its client has as many waiting tasks as it may have
│   ├── TypeUnavailableError          what holds its type cannot be reached, or refuses for now
│   └── LargeAnswersError             its answer is there, but too large beside the others
├── AlreadyTerminalError          a task that has its answer cannot be cancelled
├── TooManyKeptError              as many tasks are kept as may be
│   └── ClientKeepsTooManyError       as many of one client as it may have
├── CannotPauseError              nobody could pause here
└── CannotListError               nobody could list waiting tasks here

`task_manager.redis.errors` decides which of Redis' errors is which of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from task_manager.values import Claim


class TaskManagerError(Exception):
    """Raised when a task manager cannot do what it was asked; the base of all its errors."""


class UnavailableError(TaskManagerError):
    """Raised when Redis cannot be reached, or refuses for now; the same call may work later."""


class PartlyUnavailableError(UnavailableError):
    """Raised when a call was made for some task types alone, since others are on a node of a
    cluster that cannot be reached or refuses for now.

    Attributes:
        reasons: why not for the others, by type. It may have been made for these, too.
        claims: what was claimed of those for which it was.
    """

    def __init__(
        self, reasons: Mapping[str, UnavailableError], claims: Sequence[Claim] = ()
    ) -> None:
        super().__init__(str(next(iter(reasons.values()))))
        self.reasons, self.claims = reasons, claims


class MisconfiguredError(UnavailableError):
    """Raised when Redis refuses until somebody changes a setting, its or ours; says which.

    A program that meets it at its start ends with the message. One that meets it later says it
    once and goes on trying, slowly, since whoever changed Redis may change it back.
    """


class UnsupportedServerError(MisconfiguredError):
    """Raised when the server is older than Redis 6.2 and Valkey 7.2; says which was found."""


class NoStatusError(TaskManagerError):
    """In the place of one task's status in what a submit returns; asking again may tell it."""


class OverloadedError(NoStatusError):
    """Raised when a new task would take its type above `max_load`; polls are still answered."""

    def __init__(self, type_name: str, load: int) -> None:
        super().__init__(
            f"{type_name} has {load} waiting and running tasks, the most that is allowed "
            "(DONEYET_MAX_LOAD, or the type's own max_load); try again later"
        )


class ClientOverloadedError(NoStatusError):
    """Raised when a new task would give its client more waiting tasks than it may have."""

    def __init__(self, type_name: str, max_waiting: int) -> None:
        super().__init__(
            f"this client has {max_waiting} waiting tasks of {type_name}, the most that one may "
            "have (DONEYET_CLIENT_MAX_WAITING); ask for those until some are done",
        )


class TypeUnavailableError(NoStatusError):
    """Raised when a task's type is on a node of a cluster that cannot be reached, or refuses for
    now; `reason` tells why."""

    def __init__(self, reason: UnavailableError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class LargeAnswersError(NoStatusError):
    """Raised when a finished task's answer is not told, since those that are told are large."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(
            f"this answer is there, but those before it take {most_bytes >> 20} MiB, and no more "
            "are told at once; ask for those that are missing again",
        )


class AlreadyTerminalError(TaskManagerError):
    """Raised when a task that is done, failed or cancelled should be cancelled."""


class TooManyKeptError(TaskManagerError):
    """Raised when more tasks should be kept than may be; not all of these are."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} tasks are kept without polls or wait to be told to webhooks, the most that is "
            "allowed; poll without Prefer: keep and Webhook-URL, or try again later"
        )


class ClientKeepsTooManyError(TooManyKeptError):
    """Raised when a client would have more kept tasks than there is room for besides."""

    def __init__(self, most: int) -> None:
        super(TooManyKeptError, self).__init__(
            f"too many tasks of this client are kept without polls or wait to be told to webhooks; "
            f"one may have as many as there is room for besides, of {most} in all; poll without "
            "Prefer: keep and Webhook-URL, or try again later"
        )


class CannotPauseError(TaskManagerError):
    """Raised when task types should be paused in a queue mode that knows no such thing."""


class CannotListError(TaskManagerError):
    """Raised when waiting tasks should be listed, or all cancelled, where they are in no list."""

    def __init__(self, queue_mode: str) -> None:
        super().__init__(
            f"the {queue_mode} queue mode keeps waiting tasks in no list, so finding all of a type "
            "would mean to look at every key; start servers and workers with --distributed "
            "(DONEYET_QUEUE_MODE=distributed) to list and cancel waiting tasks"
        )
