"""The parts of the OpenAPI document that do not depend on the task types."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from http_server.wire.problem import MEDIA_TYPE
from http_server.wire.server_sent_events import MEDIA_TYPE as EVENT_STREAM
from task_manager.values import PRIORITIES, USUAL_PRIORITY

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
    "description": "`wait=20` holds the request until its answer is done, at most 20 s; "
    "`keep=3600` keeps its tasks alive without polls, at most an hour (RFC 7240).",
    "schema": {"type": "string", "pattern": "^(wait|keep)=[0-9]{1,3}$"},
    "example": "wait=20",
}

PRIORITY: Json = {
    "name": "Priority",
    "in": "header",
    "description": "Whose turn it is: 1 comes first, 5 last.",
    "schema": {"type": "integer", "minimum": PRIORITIES[0], "maximum": PRIORITIES[-1]},
    "example": USUAL_PRIORITY,
}

WEBHOOK: Sequence[Json] = (
    {
        "name": "Webhook-URL",
        "in": "header",
        "description": "Is told when a task is completed (Standard Webhooks 1.0).",
        "schema": {"type": "string", "format": "uri"},
    },
    {
        "name": "Webhook-Events",
        "in": "header",
        "description": "What it is told: `completed`, `started`, `progress`, comma separated.",
        "schema": {"type": "string"},
        "example": "completed",
    },
)

LAST_EVENT_ID: Json = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The `id` of the last event that was seen; what it told is not told again.",
    "schema": {"type": "string", "pattern": "^[a-z0-9_.-]*$"},
}

UNAVAILABLE: Json = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Types of which nothing is known now, where a part of Redis is away.",
}

PROBLEM_SCHEMAS: Json = {
    "Problem": {
        "type": "object",
        "description": "What is wrong, and what to do about it (RFC 9457).",
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
            "load": {
                "type": ["integer", "null"],
                "description": "waiting + running; null where some types are unavailable.",
            },
            "waiting": {"type": ["integer", "null"]},
            "running": {"type": ["integer", "null"]},
            "workers": {"type": "integer"},
            "paused": {"type": "boolean", "description": "Whether none of its tasks begins."},
            "oldest_waiting_s": {
                "type": ["number", "null"],
                "description": "For how long the task waits that waits longest.",
            },
            "other_versions": {
                "type": "array",
                "items": ref("Load"),
                "description": "Other versions than the server's that have tasks or workers.",
            },
            "version": {"type": "string"},
            "types": {"type": "object", "additionalProperties": ref("Load")},
            "unavailable": UNAVAILABLE,
        },
    },
}


def task_of_endpoint(path: str) -> Json:
    """`GET <endpoint>/<id>`, the same as `/tasks/<id>` for tasks that were submitted there."""
    name = path.strip("/").replace("/", "-")
    said = _operation(
        "tasks",
        f"task-of-{name}",
        "Get a task's status",
        f"As `/tasks/{{task_id}}`, for tasks that were submitted to `{path}`.",
        ref("Task"),
        *(403, 404, 429, 503),
    )
    return {"parameters": [_TASK_ID], "get": said}


def fixed_paths(type_names: Sequence[str]) -> Json:
    """Paths that are there whatever the task types."""
    kind = _in_path("type", {"type": "string", "enum": list(type_names)}, "A task type's name.")
    return {
        "/tasks/{task_id}": {
            "parameters": [_TASK_ID],
            "get": _operation(
                "tasks",
                "task",
                "Get a task's status",
                "The answer as far as it is known, with times and attempts. Does not keep the "
                "task alive: only submitting its input does.",
                ref("Task"),
                *(403, 404, 429, 503),
            ),
            "delete": _operation(
                "tasks",
                "cancel",
                "Cancel a task",
                "Cancels it for everybody who submitted it. A running one is stopped within "
                "seconds.",
                ref("Task"),
                *(403, 404, 409, 429, 503),
            ),
        },
        "/tasks/{task_id}/events": {"parameters": [_TASK_ID], "get": _events()},
        "/load": {
            "get": _operation(
                "operations",
                "load",
                "Get the load of all task types",
                "Waiting and running tasks, and the worker processes that serve them.",
                ref("Load"),
                *(403, 429, 503),
            )
        },
        "/load/{type}": {
            "parameters": [kind],
            "get": _operation(
                "operations",
                "load-of-type",
                "Get the load of one task type",
                "The number that an autoscaler needs.",
                ref("Load"),
                *(403, 404, 429, 503),
            ),
        },
        "/types/{type}/pause": {
            "parameters": [kind],
            "post": _operation(
                "operations",
                "pause",
                "Pause a task type",
                "Its tasks do not begin until it is resumed. They can be submitted, and are kept "
                "alive by that; those that run go on.",
                ref("Load"),
                *(403, 404, 429, 501, 503),
            ),
        },
        "/types/{type}/resume": {
            "parameters": [kind],
            "post": _operation(
                "operations",
                "resume",
                "Resume a task type",
                "Its tasks begin again.",
                ref("Load"),
                *(403, 404, 429, 501, 503),
            ),
        },
        "/healthz": _health("live", "Check that the process answers", "Needs no Redis."),
        "/readyz": _health(
            "ready",
            "Check that the server can serve",
            "503 while Redis is away, and while the server drains.",
            503,
        ),
        "/ping": _health("ping", "Check that the process answers", "An older name of `/healthz`."),
        "/healthcheck": _health(
            "healthcheck", "Check that the process answers", "An older name of `/healthz`."
        ),
    }


def _events() -> Json:
    """A task's server-sent events."""
    said = _operation(
        "tasks",
        "events",
        "Follow a task",
        "Server-sent events: `status`, `progress`, at last `answer`, which is the JSON object of "
        "`/tasks/{task_id}`. Keeps the task alive.",
        {},
        *(403, 404, 429, 503),
    )
    said["parameters"] = [LAST_EVENT_ID]
    said["responses"]["200"]["content"] = {EVENT_STREAM: {"schema": {"type": "string"}}}
    said["responses"]["204"] = {"description": "The answer was seen, and nothing comes after it."}
    return said


def metrics_paths() -> Json:
    """What Prometheus scrapes, where that is switched on."""
    return {
        "/metrics": _metrics(
            "metrics",
            "Get this server's metrics",
            "Requests by route and status code, answers from memory, the process itself.",
            *(403, 429),
        ),
        "/metrics/queue": _metrics(
            "queue-metrics",
            "Get the metrics of all queues",
            "The same from every server, so scrape it once. 503 while Redis is away.",
            *(403, 429, 503),
        ),
    }


def _metrics(name: str, summary: str, description: str, *problems: int) -> Json:
    """A route that answers in Prometheus' text formats."""
    said = _operation("operations", name, summary, description, {}, *problems)
    text: Json = {"schema": {"type": "string"}}
    said["responses"]["200"]["content"] = {"text/plain": text, "application/openmetrics-text": text}
    return {"get": said}


def _health(name: str, summary: str, description: str, *problems: int) -> Json:
    """A health route, which refuses nothing but a request that is no HTTP."""
    said = _operation("operations", name, summary, description, {"type": "object"}, *problems)
    said["responses"]["400"] = {"description": "The request is not HTTP."}
    return {"get": said}


def _operation(
    tag: str, name: str, summary: str, description: str, schema: Json, *problems: int
) -> Json:
    return {
        "tags": [tag],
        "operationId": name,
        "summary": summary,
        "description": description,
        "responses": {
            "200": {"description": HTTPStatus.OK.phrase, **json_content(schema)},
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


_TASK_ID = _in_path("task_id", {"type": "string"}, "The `id` of an answer.")
