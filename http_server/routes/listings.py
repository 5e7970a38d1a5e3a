"""`/tasks`: lists of tasks, a page at a time, and all waiting ones of a type cancelled; `/workers`
and `/history`. What a dashboard or a person on duty looks at; every answer is bounded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request

from doneyet.task_types import Registry
from http_server.metrics.history import HOUR_S, MINUTE_S, Spans, history
from http_server.routes.add_route import add_route
from http_server.routes.reachable import reachable
from http_server.submit.service import SubmitService
from http_server.wire.answer import CANCELLED, rfc3339
from http_server.wire.problem import Problem, bad_request, no_hours
from http_server.wire.query import (
    cursor_of,
    id_prefix,
    number,
    parameters,
    place_in,
    state_in,
    type_names,
)
from http_server.wire.response import json_response
from task_manager.errors import CannotListError
from task_manager.listing import MOST_CANCELLED, ListedTask, WorkerSeen
from task_manager.tally import HISTORY_H, HISTORY_MIN
from task_manager.values import State

MOST_ON_PAGE, USUAL_ON_PAGE = 200, 50
USUAL_HISTORY_MIN = 60
LONGEST_CANCEL_S = 10.0
"""After so long a request that cancels tells how many are left."""


def add_listing_routes(app: Flask, registry: Registry, service: SubmitService) -> None:
    """GET and DELETE of `/tasks`; GET of `/workers` and `/history`."""
    known = list(registry.types)

    def list_tasks() -> Response:
        told = parameters(request, ("type", "status", "id", "limit", "after"))
        state = state_in(told)
        names, missing = reachable(service.manager, type_names(told, known))
        page = service.manager.listed(
            names,
            state,
            prefix=id_prefix(told),
            limit=number(told, "limit", USUAL_ON_PAGE, MOST_ON_PAGE),
            after=place_in(told, in_turn=state is State.WAITING),
        )
        tasks = [_task_members(task) for task in page.tasks]
        return json_response({"tasks": tasks, "next": cursor_of(page.end), **missing})

    def cancel_waiting() -> Response:
        told = parameters(request, ("type", "status"))
        if "type" not in told or state_in(told) is not State.WAITING:
            raise bad_request(
                "say which tasks are to be cancelled: DELETE /tasks?type=TYPE&status=waiting "
                "cancels all that wait of one type; DELETE /tasks/<id> cancels one"
            )
        (name,) = type_names(told, known)
        until = time.monotonic() + LONGEST_CANCEL_S
        cancelled, is_more = 0, True
        while is_more:
            ids, is_more = service.manager.cancel_waiting(name, MOST_CANCELLED)
            service.cache.doubt(ids)
            cancelled += len(ids)
            is_more = is_more and time.monotonic() < until
        left = service.manager.load([name])[0].waiting
        return json_response({"cancelled": cancelled, "left": left})

    def view_tasks() -> Response:
        try:
            return cancel_waiting() if request.method == "DELETE" else list_tasks()
        except CannotListError as error:
            raise Problem(501, "cannot-list", str(error)) from error

    def list_workers() -> Response:
        parameters(request, ())
        names, missing = reachable(service.manager, known)
        workers = [_worker_members(each) for each in service.manager.workers(names)]
        return json_response({"workers": workers, **missing})

    def tell_history() -> Response:
        told = parameters(request, ("minutes", "hours"))
        kept = {"minutes": HISTORY_MIN, "hours": HISTORY_H if service.hours is not None else 0}
        of_types: Mapping[str, Spans]
        if "hours" in told:
            if "minutes" in told:
                raise bad_request("give minutes or hours, not both")
            if service.hours is None:
                raise no_hours()
            unit, span_s, count = "hours", HOUR_S, number(told, "hours", 1, HISTORY_H)
            names, missing = reachable(service.manager, known)
            of_types = dict(zip(names, service.manager.hours(names), strict=True))
        else:
            unit, span_s = "minutes", MINUTE_S
            count = number(told, "minutes", USUAL_HISTORY_MIN, HISTORY_MIN)
            names, missing = reachable(service.manager, known)
            of_types = {tally.type: tally.minutes for tally in service.manager.tallies(names)}
        began, series = history(of_types, span_s, count)
        return json_response({unit: began, "types": series, "kept": kept, **missing})

    add_route(app, "/tasks", "tasks", view_tasks, ["GET", "DELETE"])
    add_route(app, "/workers", "workers", list_workers, ["GET"])
    add_route(app, "/history", "history", tell_history, ["GET"])


def _task_members(task: ListedTask) -> dict[str, Any]:
    members: dict[str, Any] = {
        "id": task.id,
        "type": task.type,
        "status": task.state.value,
        "attempts": task.attempts,
        "submitted_at": rfc3339(task.submitted_ms),
        "started_at": rfc3339(task.started_ms),
        "finished_at": rfc3339(task.finished_ms),
    }
    if task.state is State.CANCELLED:
        members["error"] = CANCELLED
    elif task.error is not None:
        members["error"] = dict(zip(("code", "detail"), task.error, strict=True))
    if task.progress is not None:
        members["progress"] = dict(zip(("fraction", "message"), task.progress, strict=True))
    return members


def _worker_members(worker: WorkerSeen) -> dict[str, Any]:
    return {
        "owner": worker.owner,
        "type": worker.type,
        "version": worker.version,
        "running": [
            {"id": task.id, "started_at": rfc3339(task.started_ms)} for task in worker.running
        ],
        "running_count": worker.running_count,
    }
