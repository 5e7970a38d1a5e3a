"""The OpenAPI 3.1 document, made from the task types that are registered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from doneyet.settings import Settings
from doneyet.task_types import Registry, TaskType
from doneyet.task_types.schemas.field_names import written_names
from doneyet.task_types.schemas.parse_input import MODEL, models, takes_model
from http_server.openapi.listings import LISTING_SCHEMAS, listing_paths
from http_server.openapi.parts import (
    PREFER,
    PRIORITY,
    PROBLEM_SCHEMAS,
    WEBHOOK,
    fixed_paths,
    json_content,
    metrics_paths,
    problem_responses,
    ref,
    string,
    task_of_endpoint,
)
from http_server.openapi.security import with_keys
from http_server.routes.endpoints import ROOT, submit_paths
from http_server.submit.parse import MOST_ITEMS

Json = dict[str, Any]


def document(registry: Registry, settings: Settings) -> Json:
    """The whole document, JSON-ready."""
    at_once = settings.queue_mode == "synchronous"
    schemas: Json = PROBLEM_SCHEMAS | LISTING_SCHEMAS
    paths: Json = {}
    for path, types in submit_paths(registry, settings).items():
        for task_type in types:
            schemas.update(_schemas(task_type, types, at_once=at_once))
        paths[path] = {"post": _ask(path, types, settings, at_once=at_once)}
        if path != ROOT:
            paths[f"{path}/{{task_id}}"] = task_of_endpoint(path)
    metrics = metrics_paths() if settings.enable_metrics == "true" else {}
    fixed = fixed_paths(list(registry.types)) | listing_paths(list(registry.types))
    whole: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "doneyet",
            "version": "0.1.0",
            "summary": "POST the input. Not done yet? POST it again.",
            "description": _description(at_once=at_once),
            "contact": {"name": "The operators of this server"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": settings.root_path or "/", "description": "This server"}],
        "security": [],
        "tags": [
            {"name": "submit", "description": "Submit inputs, and get their answers."},
            {"name": "tasks", "description": "Get or cancel one task by its id."},
            {"name": "operations", "description": "Load, health and metrics."},
        ],
        "paths": {**paths, **fixed, **metrics},
        "components": {"schemas": schemas},
    }
    return with_keys(whole) if settings.keys else whole


def _description(*, at_once: bool) -> str:
    if at_once:
        return "Each input is answered in the same request."
    return (
        "Submitting is idempotent: submit the same input again until its answer says "
        '`"done": true`. `Prefer: wait=20` holds the request until then. An array of inputs is '
        "answered by an array of answers in the same order."
    )


def _ask(path: str, types: Sequence[TaskType], settings: Settings, *, at_once: bool) -> Json:
    name = path.strip("/").replace("/", "-") or "root"
    inputs = [ref(_name(task_type, "Input")) for task_type in types]
    answers = [ref(_name(task_type, "Answer")) for task_type in types]
    one, answer = _any(inputs), _any(answers)
    content: Json = {
        "application/json": {
            "schema": {"anyOf": [*inputs, {"type": "array", "items": one, "maxItems": MOST_ITEMS}]},
            "examples": _examples(types),
        }
    }
    done: Json = json_content(
        {"anyOf": [*answers, {"type": "array", "items": {"anyOf": [*answers, ref("Problem")]}}]}
    )
    responses: Json = {
        "200": {
            "description": "The answer. For an array: all answers, done or not.",
            **done,
        },
        **problem_responses(400, 403, 413, 415, 422, 429, 503),
    }
    if not at_once:
        applied = string("`wait=<seconds>`, `keep=<seconds>`, or both")
        responses["200"]["headers"] = {"Preference-Applied": applied}
        responses["202"] = {
            "description": "Not done yet. Submit the same input again after `Retry-After` seconds.",
            "headers": {
                "Location": string(f"The task, as `{settings.root_path}/tasks/<id>`."),
                "Retry-After": string("Seconds until it is worth submitting again."),
                "Preference-Applied": applied,
            },
            **json_content(answer),
        }
    fair = settings.queue_mode == "distributed" and settings.pick == "fair"
    parameters = [PREFER] * (not at_once) + [PRIORITY] * fair
    if settings.webhook_secrets and not at_once:
        parameters += WEBHOOK
    return {
        "tags": ["submit"],
        "operationId": f"submit-{name}",
        "summary": types[0].description or types[0].name,
        "description": "\n\n".join(f"**{kind.name}**: {kind.description}" for kind in types),
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "description": _body(types, settings),
            "content": content,
        },
        "responses": responses,
    }


def _body(types: Sequence[TaskType], settings: Settings) -> str:
    """What a body may be. Plain text is told in words: client generators know JSON only."""
    texts = [kind.text_field for kind in types if kind.text_field]
    plain = f" A `text/plain` body is taken as `{texts[0]}`." if texts else ""
    return f"At most {settings.max_body_bytes} bytes.{plain}"


def _schemas(task_type: TaskType, types: Sequence[TaskType], *, at_once: bool) -> Json:
    """The type's input and answer schemas, with those that they refer to."""
    made: Json = {}
    asked = _model_schema(task_type, "Input", made)
    asked["additionalProperties"] = False
    told = _model_schema(task_type, "Output", made)
    echoed = task_type.Input.model_json_schema(
        mode="serialization", ref_template=_template(task_type, "Echo")
    )
    for name, part in echoed.pop("$defs", {}).items():
        made[_name(task_type, f"Echo.{name}")] = _named(part)
    echoed = _named(echoed)
    choices = [name for name, kind in models(types).items() if kind is task_type]
    if choices and not takes_model(task_type):
        picks: Json = {
            "type": "string",
            "enum": choices,
            "description": "The task type that answers.",
        }
        asked.setdefault("properties", {})[MODEL] = picks
        if task_type is not types[0]:
            asked.setdefault("required", []).append(MODEL)
    repeated = written_names(task_type.Input, task_type.echo)
    echo = {
        name: schema for name, schema in echoed.get("properties", {}).items() if name in repeated
    }
    outputs = {
        name: {"anyOf": [schema, {"type": "null"}]}
        for name, schema in told.get("properties", {}).items()
    }
    answer: Json = {"type": "object", "properties": {**echo, **outputs}, "required": [*outputs]}
    answer["properties"]["error"] = ref("Error")
    if not at_once:
        answer["properties"] |= _MARKS
        answer["required"] += ["done", "load", "id", "status"]
    return {**made, _name(task_type, "Input"): asked, _name(task_type, "Answer"): answer}


def _model_schema(task_type: TaskType, kind: str, made: Json) -> Json:
    """The JSON schema of `Input` or `Output`; what it refers to goes to `made`."""
    model = task_type.Input if kind == "Input" else task_type.Output
    schema = model.model_json_schema(
        mode="validation" if kind == "Input" else "serialization",
        ref_template=_template(task_type, kind),
    )
    for name, part in schema.pop("$defs", {}).items():
        made[_name(task_type, f"{kind}.{name}")] = _named(part)
    return _named(schema)


def _named(schema: Json) -> Json:
    """A schema that goes by its name in the document alone: titles of two types may be the same."""
    schema.pop("title", None)
    named: Json = _with_items(schema)
    return named


def _with_items(schema: Any) -> Any:
    """`schema` with `items` beside each `prefixItems`, for tools that know no tuples.

    A tuple has as many items as `prefixItems`, so that `items` allows and forbids nothing more.
    """
    if isinstance(schema, list):
        return [_with_items(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {name: _with_items(part) for name, part in schema.items()}
    if "prefixItems" in whole and "items" not in whole:
        kinds: list[Json] = []
        for part in whole["prefixItems"]:
            if part not in kinds:
                kinds.append(part)
        whole["items"] = _any(kinds)
    return whole


def _examples(types: Sequence[TaskType]) -> Json:
    examples: Json = {}
    for task_type in types:
        if task_type.example:
            value = dict(task_type.example)
            if task_type is not types[0]:
                value[MODEL] = task_type.name.split("/", 1)[-1]
            examples[task_type.name] = {"value": value}
    if examples:
        first = next(iter(examples.values()))["value"]
        examples["several"] = {"summary": "An array of inputs", "value": [first]}
    return examples


def _any(schemas: Sequence[Json]) -> Json:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def _name(task_type: TaskType, kind: str) -> str:
    return task_type.name.replace("/", ".") + f".{kind}"


def _template(task_type: TaskType, kind: str) -> str:
    return f"#/components/schemas/{_name(task_type, kind)}.{{model}}"


_MARKS: Json = {
    "done": {
        "type": "boolean",
        "description": "Whether the task is finished: done, failed or cancelled.",
    },
    "load": {
        "type": "integer",
        "minimum": 0,
        "description": "Waiting and running tasks of this type.",
    },
    "id": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
    "status": {"enum": ["waiting", "running", "done", "failed", "cancelled"]},
    "progress": {
        "type": "object",
        "properties": {
            "fraction": {"type": "number", "minimum": 0, "maximum": 1},
            "message": {"type": "string"},
        },
    },
}
