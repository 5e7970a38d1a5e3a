"""Lists of tasks and workers, as a task manager tells them: a bounded page at a time.

Each listed task has a place, and lists are in the order of places. A page begins behind a place, so
what comes or goes meanwhile moves nothing: no task is told twice because others came.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from task_manager.values import State

MOST_LISTED = 1000
"""Terminal tasks that are kept in the list of each type and state; as in `lua/parts/ended.lua`."""

MOST_WORKERS = 1000
MOST_TASKS_OF_WORKER = 10
MOST_CANCELLED = 200
"""Waiting tasks that one call cancels, so that it takes Redis a few ms."""


class Place(NamedTuple):
    """Where a task stands in a list.

    By time tasks of all types are in one order, the newest first; `type` is "" then, and `order` is
    the time in ms below zero. Waiting tasks are in order of their turns, one type after another.
    """

    type: str
    order: int
    id: str


def place_in_time(at_ms: int, task_id: str) -> Place:
    """That of a task that began to be what it is at this time."""
    return Place("", -at_ms, task_id)


@dataclass(frozen=True, slots=True)
class ListedTask:
    """What a list tells of a task: neither its input nor its answer; None is what is not known."""

    place: Place
    type: str
    state: State
    attempts: int = 0
    submitted_ms: int | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    progress: tuple[float, str] | None = None
    error: tuple[str, str] | None = None
    """Code and detail of why it failed."""

    @property
    def id(self) -> str:
        """The task's id."""
        return self.place.id


@dataclass(frozen=True, slots=True)
class Page:
    """Some tasks in the order of their places; more of them follow `end`, none where that is
    None."""

    tasks: Sequence[ListedTask]
    end: Place | None = None


def merged(pages: Iterable[Page], limit: int) -> Page:
    """One page of up to `limit` tasks of what `pages` tell of several lists, each from the same
    place on.

    What is behind the end of any of them is left to the next page, since tasks that are not told
    yet may come before it.
    """
    known = list(pages)
    end = min((page.end for page in known if page.end is not None), default=None)
    tasks = (task for page in known for task in page.tasks if end is None or task.place <= end)
    first = heapq.nsmallest(limit + 1, tasks, key=lambda task: task.place)
    if len(first) > limit:
        return Page(first[:limit], first[limit - 1].place)
    return Page(first, end)


class RunningTask(NamedTuple):
    """A task that a worker runs, or has claimed to run it next."""

    id: str
    started_ms: int


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """An owner that serves one type, and up to `MOST_TASKS_OF_WORKER` of the tasks it runs."""

    owner: str
    type: str
    version: str
    running: Sequence[RunningTask]
    running_count: int


def error_in(body: bytes) -> tuple[str, str] | None:
    """Code and detail of the error that the last bytes of a failed task's body tell; None where
    they tell none."""
    _, found, rest = body.rpartition(b'"error":')
    try:
        error, _ = json.JSONDecoder().raw_decode(rest.decode().lstrip())
        return (str(error["code"]), str(error["detail"])) if found else None
    except (ValueError, TypeError, LookupError):
        return None
