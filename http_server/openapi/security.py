"""The OpenAPI document of a server that has keys."""

from __future__ import annotations

from typing import Any

from http_server.keys.roles import PUBLIC
from http_server.openapi.parts import problem_responses, string

Json = dict[str, Any]

SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "`Authorization: Bearer <key>`",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key, where `Authorization` is a proxy's.",
    },
}


def with_keys(document: Json) -> Json:
    """`document`, saying what takes a key, and what is answered without one."""
    document["security"] = [{name: []} for name in SCHEMES]
    document["components"]["securitySchemes"] = SCHEMES
    refused = problem_responses(401)
    refused["401"]["headers"] = {"WWW-Authenticate": string("`Bearer`")}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            if path in PUBLIC:
                operation["security"] = []
            else:
                operation["responses"] = {**operation["responses"], **refused}
    return document
