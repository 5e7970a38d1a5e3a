"""The parts of the OpenAPI document about lists of tasks and workers, and the last minutes."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from http_server.openapi.parts import UNAVAILABLE, json_content, problem_responses, ref
from http_server.routes.listings import (
    MOST_ON_PAGE,
    USUAL_HISTORY_MIN,
    USUAL_ON_PAGE,
)
from task_manager.tally import HISTORY_H, HISTORY_MIN
from task_manager.values import State

Json = dict[str, Any]

_STATES = [state.value for state in State]
_MOMENT: Json = {"type": ["string", "null"], "format": "date-time"}
_COUNTS: Json = {"type": "array", "items": {"type": "integer"}}
_MEANS: Json = {"type": "array", "items": {"type": ["number", "null"]}}


def _object(required: Sequence[str], **properties: Json) -> Json:
    return {"type": "object", "required": list(required), "properties": properties}


LISTING_SCHEMAS: Json = {
    "ListedTask": _object(
        ["id", "type", "status", "attempts", "submitted_at", "started_at", "finished_at"],
        id={"type": "string"},
        type={"type": "string"},
        status={"enum": _STATES},
        attempts={"type": "integer"},
        submitted_at=_MOMENT,
        started_at=_MOMENT,
        finished_at=_MOMENT,
        error=ref("Error"),
        progress=_object(
            ["fraction", "message"], fraction={"type": "number"}, message={"type": "string"}
        ),
    ),
    "TaskList": _object(
        ["tasks", "next"],
        tasks={"type": "array", "items": ref("ListedTask")},
        unavailable=UNAVAILABLE,
        next={
            "type": ["string", "null"],
            "description": "What `after` is to be for the next page; null on the last.",
        },
    ),
    "Cancelled": _object(
        ["cancelled", "left"],
        cancelled={"type": "integer"},
        left={"type": "integer", "description": "Tasks that wait still, or again."},
    ),
    "WorkerList": _object(
        ["workers"],
        unavailable=UNAVAILABLE,
        workers={
            "type": "array",
            "items": _object(
                ["owner", "type", "version", "running", "running_count"],
                owner={"type": "string"},
                type={"type": "string"},
                version={"type": "string"},
                running={
                    "type": "array",
                    "items": _object(
                        ["id", "started_at"], id={"type": "string"}, started_at=_MOMENT
                    ),
                },
                running_count={"type": "integer"},
            ),
        },
    ),
    "History": _object(
        ["types", "kept"],
        unavailable=UNAVAILABLE,
        minutes={**_COUNTS, "description": "When each minute began, Unix seconds."},
        hours={**_COUNTS, "description": "When each hour began, where hours were asked for."},
        kept=_object(
            ["minutes", "hours"],
            minutes={"type": "integer", "description": "How many can be asked for."},
            hours={"type": "integer", "description": "Likewise; 0 where none are kept."},
        ),
        types={
            "type": "object",
            "additionalProperties": _object(
                [],
                **dict.fromkeys(("submitted", "done", "failed", "cancelled", "abandoned"), _COUNTS),
                **dict.fromkeys(("wait_s", "run_s"), _MEANS),
            ),
        },
    ),
}


def listing_paths(type_names: Sequence[str]) -> Json:
    """`/tasks`, `/workers`, `/history`."""
    kind: Json = {"type": "string", "enum": list(type_names)}
    return {
        "/tasks": {
            "get": _operation(
                "tasks",
                "Get a list of tasks",
                "The newest first; the waiting, where they alone are asked for, in the order of "
                "their turns. Without inputs and answers.",
                "TaskList",
                *(400, 403, 404, 429, 501, 503),
                parameters=[
                    _parameter("type", kind, "Of this type alone."),
                    _parameter("status", {"type": "string", "enum": _STATES}, "These alone."),
                    _parameter(
                        "id",
                        {"type": "string", "pattern": "^[0-9a-f]{4,40}$"},
                        "What their ids begin with.",
                    ),
                    _number("limit", USUAL_ON_PAGE, MOST_ON_PAGE, "How many at most."),
                    _parameter("after", {"type": "string"}, "`next` of the page before."),
                ],
            ),
            "delete": _operation(
                "cancel-waiting",
                "Cancel all waiting tasks of a type",
                "For everybody who submitted them. Those that run go on.",
                "Cancelled",
                *(400, 403, 404, 429, 501, 503),
                parameters=[
                    _parameter("type", kind, "Of which type.", required=True),
                    _parameter(
                        "status",
                        {"type": "string", "enum": [State.WAITING.value]},
                        "Says that all are meant.",
                        required=True,
                    ),
                ],
            ),
        },
        "/workers": {
            "get": _operation(
                "workers",
                "Get a list of workers",
                "Worker processes, per task type that they serve, and some of what they run.",
                "WorkerList",
                *(400, 403, 429, 503),
            )
        },
        "/history": {
            "get": _operation(
                "history",
                "Get what happened in the last minutes, or hours",
                "Counts and mean times per minute, or hour, and type, the oldest first.",
                "History",
                *(400, 403, 429, 501, 503),
                parameters=[
                    _number("minutes", USUAL_HISTORY_MIN, HISTORY_MIN, "How many minutes."),
                    _parameter(
                        "hours",
                        {"type": "integer", "minimum": 1, "maximum": HISTORY_H},
                        "How many hours, instead of minutes, where the server keeps them.",
                    ),
                ],
            )
        },
    }


def _parameter(name: str, schema: Json, description: str, *, required: bool = False) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": schema,
    }


def _number(name: str, default: int, most: int, description: str) -> Json:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return _parameter(name, schema, description)


def _operation(
    name: str,
    summary: str,
    description: str,
    schema: str,
    *problems: int,
    parameters: Sequence[Json] = (),
) -> Json:
    return {
        "tags": ["operations"],
        "operationId": name,
        "summary": summary,
        "description": description,
        "parameters": list(parameters),
        "responses": {
            "200": {"description": HTTPStatus.OK.phrase, **json_content(ref(schema))},
            **problem_responses(*problems),
        },
    }
