"""Requests generated from the OpenAPI document, right and wrong, over real HTTP."""

from __future__ import annotations

import re
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from doneyet.task_types import load_registry
from http_server.openapi.document import document
from tests.http.conftest import SETTINGS, System


def valid_input_is_accepted(
    context: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: schemathesis.Case[Any],
) -> bool | None:
    """Valid input is no 4xx; but `5.0`, which JSON Schema calls an integer, may be refused.

    So may data of which JSON Schema cannot say what they have in common, such as as many rows.
    """
    if case.path in ("/fit", "/score", "/predict"):
        return None
    if case.path == "/tasks" and "after" in case.query:  # only what a page told as `next` is one
        return None
    if case.path == "/history" and {"minutes", "hours"} <= case.query.keys():
        return None  # one or the other, which OpenAPI cannot say of parameters
    if re.search(r"\d\.0|\de\+?\d", repr(case.body)):
        return None
    return positive_data_acceptance(context, response, case)


def no_server_error(
    context: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: schemathesis.Case[Any],
) -> bool | None:
    """But 501 where the queue mode cannot do it, as the document says."""
    return None if response.status_code == 501 else not_a_server_error(context, response, case)


CHECKS = [
    no_server_error,
    content_type_conformance,
    valid_input_is_accepted,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
]


schema = schemathesis.openapi.from_dict(document(load_registry(SETTINGS), SETTINGS)).exclude(
    path=["/sleep", "/steps"]  # their generated inputs would take the time that they say
)


@schema.parametrize()
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_every_response_is_as_described(
    case: schemathesis.Case[Any], session_system: System
) -> None:
    """No 5xx; statuses, headers and bodies are those of the document; valid input is accepted."""
    case.call_and_validate(checks=CHECKS, base_url=session_system.url, timeout=30)
