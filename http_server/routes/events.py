"""`/tasks/<id>/events`: how a task goes on, as server-sent events."""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, Response, request

from doneyet.task_types import TaskType
from doneyet.task_types.ready import echo_of
from http_server.events.event_stream import EventStream, answer_event
from http_server.events.seen import seen_by, state_mark
from http_server.routes.add_route import add_route
from http_server.routes.types_by_id import TypesById
from http_server.submit.chain import ParsedTask
from http_server.submit.service import SubmitService
from http_server.wire.asker import AskerOf
from http_server.wire.problem import unknown_task
from http_server.wire.response import PlainResponse, StreamResponse
from http_server.wire.server_sent_events import HEADERS, MEDIA_TYPE, RETRY
from task_manager.values import PRIORITIES, Asker, Status


def add_event_routes(
    app: Flask, service: SubmitService, types: TypesById, asker_of: AskerOf
) -> None:
    """The one route."""

    def events(task_id: str) -> Response:
        status = service.manager.status(types.name_of(task_id), task_id)
        if status is None:
            raise unknown_task()
        task_type = types.of_status(status)
        seen = seen_by(request.headers.get("Last-Event-ID"))
        if status.state.terminal:
            if seen.state == state_mark(status):
                return PlainResponse(b"", HTTPStatus.NO_CONTENT, "")  # browsers come no more then
            told = RETRY + answer_event(task_type, status, b"{}")
            return PlainResponse(told, HTTPStatus.OK, MEDIA_TYPE, HEADERS)
        if request.method == "HEAD":
            return StreamResponse(iter(()), MEDIA_TYPE, HEADERS)
        # Who watches makes nothing more urgent: browsers cannot say how urgent it was.
        asker = asker_of({**request.environ, "HTTP_PRIORITY": str(PRIORITIES[-1])})
        task = _awaited(task_type, status, asker)
        stream = EventStream(service.room, service.looker, task_type, status, task=task, seen=seen)
        return StreamResponse(stream, MEDIA_TYPE, HEADERS)

    add_route(app, "/tasks/<task_id>/events", "events of a task", events, ["GET"])


def _awaited(task_type: TaskType | None, status: Status, asker: Asker) -> ParsedTask | None:
    """What is submitted again while somebody watches; None where its input is not known, or it is
    another version's task."""
    if task_type is None or status.input is None:
        return None
    echo = echo_of(task_type, status.input)
    return ParsedTask(
        status.id, task_type.name, status.input, task_type, echo, awaited=True, asker=asker
    )
