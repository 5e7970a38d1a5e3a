"""`/tasks/<id>`: one task, by the id that its answer told."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, request

from doneyet.task_types import Registry
from doneyet.task_types.ready import echo_of
from http_server.routes.add_route import add_route
from http_server.routes.types_by_id import TypesById
from http_server.submit.service import SubmitService
from http_server.wire.answer import answer_with_times
from http_server.wire.problem import Problem, unknown_task
from http_server.wire.response import PlainResponse
from task_manager.errors import AlreadyTerminalError
from task_manager.values import Status


def add_task_routes(
    app: Flask, registry: Registry, service: SubmitService, types: TypesById
) -> None:
    """GET returns a task, DELETE cancels it; `GET <endpoint>/<id>`: tasks of that endpoint."""

    def respond(status: Status | None, asked: bytes | None) -> Response:
        if status is None:
            raise unknown_task()
        task_type = types.of_status(status)
        echo = b"{}" if asked is None or task_type is None else echo_of(task_type, asked)
        return PlainResponse(answer_with_times(task_type, status, echo))

    def tell(task_id: str) -> Response:
        status = service.manager.status(types.name_of(task_id), task_id)
        return respond(status, status.input if status else None)

    def cancel(task_id: str) -> Response:
        type_name = types.name_of(task_id)
        before = service.manager.status(type_name, task_id)  # its input is dropped with it
        try:
            status = service.manager.cancel(type_name, task_id)
        except AlreadyTerminalError as error:
            raise Problem(409, "already-terminal", str(error)) from error
        service.cache.doubt([task_id])
        return respond(status, before.input if before else None)

    def view(task_id: str) -> Response:
        return cancel(task_id) if request.method == "DELETE" else tell(task_id)

    add_route(app, "/tasks/<task_id>", "task", view, ["GET", "DELETE"])

    def tell_at(path: str) -> Callable[..., Response]:
        def tell_if_asked_there(task_id: str) -> Response:
            task_type = registry.of_task(task_id)
            if task_type is None or task_type.endpoint != path:
                raise unknown_task()
            return tell(task_id)

        return tell_if_asked_there

    for path in registry.endpoints:
        add_route(app, f"{path}/<task_id>", f"task of {path}", tell_at(path), ["GET"])
