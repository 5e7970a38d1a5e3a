"""How a question may be sent, and what is said to one that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("path", "content_type", "body", "echoed"),
    [
        ("/factorize", JSON, '{"number": 6}', {"number": 6}),
        ("/factorize", "application/json; charset=UTF-8", '{"number": "6"}', {"number": 6}),
        ("/factorize", "application/vnd.x+json", '{"number": 6}', {"number": 6}),
        ("/factorize", "", '{"number": 6}', {"number": 6}),
        ("/factorize", FORM, ' {"number": 6}', {"number": 6}),
        ("/factorize", FORM, "number=6", {"number": 6}),
        ("/factorize?number=6", "", "", {"number": 6}),
        ("/factorize?number=6", JSON, "", {"number": 6}),
        ("/upper", "text/plain", "a [MASK]", {"text": "a [MASK]", "extra": None}),
        ("/upper", "text/plain; charset=utf-8", "é", {"text": "é", "extra": None}),
        ("/upper?extra=1", "text/plain", "a", {"text": "a", "extra": "1"}),
        ("/upper", FORM, "test [MASK]", {"text": "test [MASK]", "extra": None}),
        ("/upper", FORM, "[MASK] is a city", {"text": "[MASK] is a city", "extra": None}),
        ("/upper", FORM, ' {"text": "a"}', {"text": "a", "extra": None}),
        ("/upper", FORM, "text=a+b", {"text": "a b", "extra": None}),
        ("/upper", FORM, "1+1=2", {"text": "1+1=2", "extra": None}),
        ("/question-answering?tags=a&tags=b&question=q", "", "", {"question": "q"}),
        ("/question-answering?model=bert", JSON, '{"question": "q"}', {"question": "q"}),
    ],
)
def test_ways_to_ask(
    client: FlaskClient, path: str, content_type: str, body: str, echoed: dict[str, Any]
) -> None:
    """JSON, a form, a query string or a text: each is the question that it looks like."""
    response = client.post(path, data=body.encode(), content_type=content_type)
    assert response.status_code == 202, response.text
    answer = response.get_json()
    assert {name: answer[name] for name in echoed} == echoed


@pytest.mark.parametrize(
    ("path", "content_type", "body", "status", "said"),
    [
        ("/factorize", JSON, "", 400, "empty"),
        ("/factorize", JSON, "{", 400, "line 1"),
        ("/factorize", JSON, '{"number": NaN}', 400, "NaN"),
        ("/factorize", JSON, '{"number": 1e400}', 422, "double"),
        ("/factorize", JSON, '{"number": 6, "number": 7}', 400, "twice"),
        ("/factorize", JSON, "[" * 100_000, 400, "nested"),
        ("/factorize", JSON, '{"number": ' + "9" * 5000 + "}", 422, "digits"),
        ("/factorize", JSON, "5", 422, "object"),
        ("/factorize", JSON, '"abc"', 422, "object"),
        ("/factorize", JSON, "null", 422, "object"),
        ("/factorize", JSON, "{}", 422, "/number: is required"),
        ("/factorize", "", "", 422, "/number: is required"),
        ("/factorize", JSON, '{"number": 1}', 422, "/number"),
        ("/factorize", JSON, '{"number": [6]}', 422, "/number"),
        ("/factorize", JSON, '{"numbr": 6}', 422, "there are: number"),
        ("/factorize", JSON, '{"number": 6, "a~/b": 1}', 422, "/a~0~1b"),
        ("/factorize", JSON, '{"number": 6, "model": "x"}', 422, "/model"),
        ("/factorize", JSON, '{"number": 6, "done": true}', 422, "/done"),
        ("/factorize", "text/plain", "6", 415, "application/json"),
        ("/factorize", "text/html", "6", 415, "application/json"),
        ("/factorize", FORM, "6", 415, "Content-Type: application/json"),
        ("/factorize", FORM, "numbr=6", 422, "/numbr"),
        ("/factorize", FORM, "[6", 400, "ends within a list"),
        ("/upper", FORM, '[{"text": "a"}', 400, "ends within a list"),
        ("/factorize", "application/json; charset=utf-16", "{}", 415, "UTF-8"),
        ("/factorize?number=%ff", "", "", 400, "query"),
        ("/factorize?number=6", JSON, '{"number": 6}', 422, "both"),
        ("/factorize?number=6", JSON, "[]", 422, "array"),
        ("/question-answering", JSON, '{"question": "q", "model": "gpt"}', 422, "bert, roberta"),
        ("/question-answering", JSON, '{"question": "q", "model": 3}', 422, "bert, roberta"),
        ("/upper", JSON, '{"text": "\\ud800"}', 422, "surrogate"),
        ("/upper", "text/plain", b"\xff", 400, "UTF-8"),
    ],
)
def test_what_cannot_be_read_is_a_problem(
    client: FlaskClient, path: str, content_type: str, body: str | bytes, status: int, said: str
) -> None:
    """Every wrong body has a status and a sentence that helps."""
    raw = body.encode() if isinstance(body, str) else body
    response = client.post(path, data=raw, content_type=content_type)
    assert_problem(response, status)
    assert said in response.get_json()["detail"]


def test_wrong_fields_have_pointers(client: FlaskClient) -> None:
    """A 422 names each wrong field by a JSON pointer into the input."""
    response = client.post("/question-answering", json={"tags": ["a", 1], "nix": 0})
    assert {error["pointer"] for error in response.get_json()["errors"]} == {
        "/question",
        "/tags/1",
        "/nix",
    }


def test_body_limit(client: FlaskClient) -> None:
    """A body above the limit is a 413, whether it declares its length or not."""
    assert_problem(client.post("/factorize", data=b"x" * 100_001, content_type=JSON), 413)
    assert client.post("/upper", json={"text": "x" * 99_000}).status_code == 202


def test_encoded_bodies_are_refused(client: FlaskClient) -> None:
    """A compressed body is not unpacked, and the answer says so."""
    response = client.post("/factorize", data=b"{}", headers={"Content-Encoding": "gzip"})
    assert_problem(response, 415)
    assert response.headers["Accept-Encoding"] == "identity"


@given(
    st.binary(max_size=300), st.sampled_from([JSON, FORM, "text/plain", "", "a/b"]), st.booleans()
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_gets_an_answer_or_a_problem(
    client: FlaskClient, body: bytes, content_type: str, text: bool
) -> None:
    """Whatever is sent: no 5xx, no HTML, no stack trace."""
    path = "/upper" if text else "/factorize"
    assert_answer_or_problem(client.post(path, data=body, content_type=content_type))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["number", "text", "question", "model", "x"]), inner)
    ),
    max_leaves=8,
)


@given(json_values, st.sampled_from(["/factorize", "/upper", "/question-answering"]))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_gets_an_answer_or_a_problem(client: FlaskClient, value: Any, path: str) -> None:
    """Any JSON value: no 5xx, no HTML, no stack trace."""
    body = json.dumps(value).encode()
    assert_answer_or_problem(client.post(path, data=body, content_type=JSON))


def assert_problem(response: Any, status: int) -> None:
    """`response` is a problem object of that status."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    problem = response.get_json()
    assert problem["status"] == status
    assert {"type", "title", "detail"} <= problem.keys()


def assert_answer_or_problem(response: Any) -> None:
    """`response` is JSON, and nobody's fault but the client's."""
    assert response.status_code < 500, response.text
    assert response.content_type in (JSON, "application/problem+json")
    assert response.get_json() is not None
    assert "Traceback" not in response.text
