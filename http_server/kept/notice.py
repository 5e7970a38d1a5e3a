"""What is to be told to a webhook, and what becomes of its entry when an attempt was made."""

from __future__ import annotations

from typing import NamedTuple

from http_server.kept.looks import EAGER_S
from http_server.webhooks.bodies import COMPLETED
from http_server.webhooks.delivery import Attempt, Verdict, pause_s
from task_manager.kept import Progress, Settled, Taken
from task_manager.values import Status

MOST_MARKED_S = 86_400.0
"""How long it is known at most that something was told."""

SPARE_S = 86_400.0
"""How long an entry is there beyond its next attempt: for so long all servers may be away."""


class Notice(NamedTuple):
    """One event of a task that is to be told."""

    taken: Taken
    event: str
    body: bytes
    until_s: float = 0.0
    """When this process' lease is over, by its monotonic clock."""
    after: Progress = Progress()
    """How far the entry is once this was told, unless it is over then."""
    finished_ms: int = 0
    """When the task finished."""
    result_s: float = 1.0
    """How long its result is kept from then on."""
    is_stored: bool = False
    """Whether the entry is to keep the body: the result may be gone before it is told."""

    @property
    def id(self) -> str:
        """The same for the same event, whoever tells it and however often."""
        number = {COMPLETED: self.finished_ms}.get(self.event, self.after.reports)
        return f"msg_{self.taken.kept.id}_{self.event}_{number}"


def result_s(status: Status) -> float:
    """How long the result of a terminal task is kept in all."""
    if status.expires_ms is None or status.finished_ms is None:
        return 1.0
    return max(1.0, (status.expires_ms - status.finished_ms) / 1000)


def told(taken: Taken, finished_ms: int, kept_s: float) -> Settled:
    """All is told, and not told again while the same result is there."""
    return Settled(taken, None, keep_s=min(MOST_MARKED_S, kept_s), told_ms=finished_ms)


def settled_by(attempt: Attempt, notice: Notice) -> tuple[Settled, Verdict]:
    """What becomes of the entry, and how the attempt is counted."""
    taken, progress = notice.taken, notice.taken.progress
    verdict = attempt.verdict
    if notice.event != COMPLETED:  # once: what comes next says more
        is_over = verdict is Verdict.GAVE_UP
        return Settled(taken, None if is_over else EAGER_S, notice.after), verdict
    if verdict is Verdict.FAILED:
        failed = progress.attempts + 1
        wait_s = pause_s(failed, attempt.pause_s)
        if wait_s is not None:
            after = progress._replace(attempts=failed)
            if notice.is_stored:
                body = notice.body.decode()
                after = after._replace(
                    body=body, finished_ms=notice.finished_ms, result_s=notice.result_s
                )
            return Settled(taken, wait_s, after, keep_s=wait_s + SPARE_S), verdict
        verdict = Verdict.GAVE_UP
    return told(taken, notice.finished_ms, notice.result_s), verdict
