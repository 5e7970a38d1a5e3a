"""The parts of the OpenAPI document that do not depend on the task types."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from http_server.problem import MEDIA_TYPE

Json = dict[str, Any]


def ref(name: str) -> Json:
    """A reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_content(schema: Json) -> Json:
    """The `content` of a JSON body."""
    return {"content": {"application/json": {"schema": schema}}}


def string(description: str) -> Json:
    """A response header."""
    return {"description": description, "schema": {"type": "string"}}


def problem_responses(*statuses: int) -> Json:
    """What goes wrong, by status; always a problem object."""
    responses: Json = {}
    for status in sorted(statuses):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": ref("Problem")}},
        }
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            responses[str(status)]["headers"] = {"Retry-After": string("Seconds to wait.")}
    return responses


PREFER: Json = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=20` holds the request until all is done, or for 20 seconds (RFC 7240).",
    "schema": {"type": "string", "pattern": "^wait=[0-9]{1,3}$"},
    "example": "wait=20",
}

PROBLEM_SCHEMAS: Json = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {
                        "pointer": {
                            "type": "string",
                            "description": "JSON pointer into the input",
                        },
                        "detail": {"type": "string"},
                    },
                },
            },
        },
    },
    "Error": {
        "type": "object",
        "description": "Why a task failed.",
        "required": ["code", "detail"],
        "properties": {"code": {"type": "string"}, "detail": {"type": "string"}},
    },
    "Task": {
        "type": "object",
        "description": "The answer object, and how the task went.",
        "required": ["id", "type", "status", "done", "load", "attempts"],
        "properties": {
            "id": {"type": "string"},
            "type": {"type": "string"},
            "status": {"enum": ["waiting", "running", "done", "failed", "cancelled"]},
            "done": {"type": "boolean"},
            "load": {"type": "integer"},
            "attempts": {"type": "integer"},
            "submitted_at": {"type": ["string", "null"], "format": "date-time"},
            "started_at": {"type": ["string", "null"], "format": "date-time"},
            "finished_at": {"type": ["string", "null"], "format": "date-time"},
        },
    },
    "Load": {
        "type": "object",
        "required": ["load", "waiting", "running"],
        "properties": {
            "type": {"type": "string"},
            "load": {"type": "integer", "description": "waiting + running"},
            "waiting": {"type": "integer"},
            "running": {"type": "integer"},
            "workers": {"type": "integer"},
            "types": {"type": "object", "additionalProperties": ref("Load")},
        },
    },
}


def task_of_endpoint(path: str) -> Json:
    """`GET <endpoint>/<id>`, the same as `/tasks/<id>` for tasks that were asked there."""
    name = path.strip("/").replace("/", "-")
    said = _operation("tasks", f"task-of-{name}", "How a task is", ref("Task"), 403, 404, 429, 503)
    return {"parameters": [_TASK_ID], "get": said}


def fixed_paths(type_names: Sequence[str]) -> Json:
    """Paths that are there whatever the task types."""
    kind = _in_path("type", {"type": "string", "enum": list(type_names)}, "A task type's name.")
    return {
        "/tasks/{task_id}": {
            "parameters": [_TASK_ID],
            "get": _operation("tasks", "task", "How a task is", ref("Task"), 403, 404, 429, 503),
            "delete": _operation(
                "tasks",
                "cancel",
                "Cancels a task, for everybody who asked",
                ref("Task"),
                403,
                404,
                409,
                429,
                503,
            ),
        },
        "/load": {
            "get": _operation(
                "operation", "load", "How busy each type is", ref("Load"), 403, 429, 503
            )
        },
        "/load/{type}": {
            "parameters": [kind],
            "get": _operation(
                "operation", "load-of-type", "How busy a type is", ref("Load"), 403, 404, 429, 503
            ),
        },
        "/healthz": {"get": _operation("operation", "live", "The process answers", _OBJECT)},
        "/readyz": {
            "get": _operation("operation", "ready", "Redis answers, no drain", _OBJECT, 503)
        },
        "/ping": {"get": _operation("operation", "ping", "An older health check", _OBJECT)},
        "/healthcheck": {
            "get": _operation("operation", "healthcheck", "An older health check", _OBJECT)
        },
    }


_OBJECT: Json = {"type": "object"}


def _operation(tag: str, name: str, summary: str, schema: Json, *problems: int) -> Json:
    return {
        "tags": [tag],
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "As asked.", **json_content(schema)},
            **problem_responses(*problems),
        },
    }


def _in_path(name: str, schema: Json, description: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
    }


_TASK_ID = _in_path("task_id", {"type": "string"}, "As answers tell it in `id`.")
