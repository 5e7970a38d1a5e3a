"""What is to be done about a kept task, given how it is."""

from __future__ import annotations

import json
import logging

from doneyet.task_types import TaskType
from http_server.kept.notice import Notice, result_s, told
from http_server.submit.chain import Outcome
from http_server.webhooks.bodies import COMPLETED, PROGRESS, STARTED, event_body
from http_server.webhooks.delivery import Verdict
from task_manager.errors import LargeAnswersError, TypeUnavailableError
from task_manager.kept import Settled, Taken
from task_manager.values import State, Status

log = logging.getLogger(__name__)

Decision = Notice | tuple[Settled, Verdict | None] | None
"""Tell it, settle it (and count that), or look again later."""


def decide(taken: Taken, task_type: TaskType | None, outcome: Outcome | None) -> Decision:
    """The decision. No `task_type`: this server serves none of that name; no `outcome`: it does not
    know the task."""
    progress = taken.progress
    if outcome is None and progress.body:
        return Notice(
            taken,
            COMPLETED,
            progress.body.encode(),
            finished_ms=progress.finished_ms,
            result_s=progress.result_s,
            is_stored=True,
        )
    if task_type is None or isinstance(outcome, TypeUnavailableError):
        return None
    if isinstance(outcome, Status) and outcome.state.terminal:
        return _of_terminal(taken, task_type, outcome)
    if outcome is None and progress.attempts:
        log.warning("a webhook is given up: the result of %s expired", taken.kept.task_id)
        return Settled(taken, None), Verdict.GAVE_UP
    if taken.left_ms <= 0:
        return Settled(taken, None), None
    return _of_unfinished(taken, task_type, outcome)


def finished_ms(outcome: Status) -> int:
    """When a task finished; 0: it has not."""
    return max(1, outcome.finished_ms or 0) if outcome.state.terminal else 0


def _of_terminal(taken: Taken, task_type: TaskType, status: Status) -> Decision:
    kept = taken.kept
    if not kept.url:
        return Settled(taken, None), None
    if taken.told_ms == finished_ms(status) or COMPLETED not in kept.events:
        return told(taken, finished_ms(status), result_s(status)), None
    return Notice(
        taken,
        COMPLETED,
        event_body(COMPLETED, task_type, status, kept.input),
        finished_ms=finished_ms(status),
        result_s=result_s(status),
        is_stored=status.state is not State.DONE,  # which is kept for a minute only
    )


def _of_unfinished(taken: Taken, task_type: TaskType, outcome: Outcome | None) -> Decision:
    """It goes on, as far as is known."""
    if isinstance(outcome, LargeAnswersError):  # there is room when fewer are asked for
        return Settled(taken, 0.0, taken.progress), None
    if not isinstance(outcome, Status):
        return None
    if taken.progress.attempts:  # it runs anew, and is told anew
        return Settled(taken, 0.0), None
    return _of_running(taken, task_type, outcome)


def _of_running(taken: Taken, task_type: TaskType, status: Status) -> Decision:
    """The begin of the task, or how far it is, if that is wanted and new."""
    kept, progress = taken.kept, taken.progress
    latest = json.dumps(status.progress)
    if status.state is not State.RUNNING:
        return None
    if STARTED in kept.events and not progress.began:
        event, after = STARTED, progress._replace(began=True)
    elif PROGRESS in kept.events and status.progress and latest != progress.latest:
        event = PROGRESS
        after = progress._replace(latest=latest, reports=progress.reports + 1)
    else:
        return None
    return Notice(taken, event, event_body(event, task_type, status, kept.input), after=after)
