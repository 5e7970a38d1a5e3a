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
MANY_FIELDS = json.dumps({f"field{n}": n for n in range(3000)})
MANY_WRONG_ITEMS = json.dumps({"question": "q", "tags": list(range(9999))})


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
        ("/upper", FORM, "text=schönes Wetter", {"text": "schönes Wetter", "extra": None}),
        ("/upper", "", "text=schönes Wetter", {"text": "schönes Wetter", "extra": None}),
        (
            "/upper",
            FORM,
            "text=sch%C3%B6n+a%2Bb%26c&extra=%3d",
            {"text": "schön a+b&c", "extra": "="},
        ),
        ("/upper", FORM, "text=100% sure: a=b", {"text": "100% sure: a=b", "extra": None}),
        ("/upper", FORM, 'text={"a": 1}', {"text": '{"a": 1}', "extra": None}),
        ("/upper", FORM, "te%78t=a", {"text": "a", "extra": None}),
        ("/upper", FORM, "text=", {"text": "", "extra": None}),
        ("/upper", FORM, "schönes Wetter & mehr", {"text": "schönes Wetter & mehr", "extra": None}),
        ("/upper", "text/plain", "text=a", {"text": "text=a", "extra": None}),
        ("/question-answering", FORM, "question=q&tags=a", {"question": "q"}),
        ("/question-answering?tags=a", JSON, '{"question": "q"}', {"question": "q"}),
        ("/question-answering", FORM, "model=bert&question=q", {"question": "q"}),
        ("/sleep", FORM, "seconds=0.5", {"seconds": 0.5}),
        ("/fit?x=1&x=2&x=3&y=1&y=2&y=3&intercept=false", "", "", {"intercept": False}),
        ("/fit", FORM, "x=1&x=-2.5e0&x=3&y=1&y=2&y=3", {"kind": "multivariate"}),
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
        ("/upper", FORM, "txt=schönes Wetter", 422, "/txt: not a field"),
        ("/upper", FORM, "text=a&txt=b", 422, "/txt: not a field"),
        ("/upper", FORM, "text=cats & dogs", 422, "%26"),
        ("/upper", FORM, "a b&text=c", 422, "without a name"),
        ("/upper", FORM, "text=%ff", 400, "utf-8"),
        ("/upper", FORM, b"text=\xff", 400, "UTF-8 (byte 5)"),
        ("/upper", FORM, "text=a&" * 2000, 400, "more than 1000 fields"),
        ("/upper", FORM + "; charset=latin-1", "text=a", 415, "UTF-8"),
        ("/upper", FORM, "{x} is a set", 400, "text/plain"),
        ("/upper", FORM, b'\xef\xbb\xbf{"text": "a"}', 400, "byte order mark"),
        ("/upper", "multipart/form-data; boundary=x", "--x", 415, "multipart/form-data"),
        ("/factorize", JSON, b'\xef\xbb\xbf{"number": 6}', 400, "byte order mark"),
        ("/sleep", FORM, "seconds=nan", 422, "seconds"),
        ("/fit", JSON, '{"x": [1, true], "y": [1, 2]}', 422, "/x/1/0"),
        ("/fit", JSON, '{"x": [1, "1"], "y": [1, 2]}', 422, "/x/1/0"),
        ("/fit", JSON, '{"x": [[1], [true]], "y": [1, 2]}', 422, "/x/1/0"),
        ("/fit", JSON, '{"x": [1, 2], "y": [1, "2"]}', 422, "/y/1"),
        ("/fit", JSON, '{"x": [1, 2], "y": [true, 2]}', 422, "/y/0"),
        ("/fit", JSON, '{"x": [1, 2], "y": [1, 2], "intercept": 1}', 422, "/intercept"),
        (
            "/fit",
            JSON,
            '{"x": [1], "y": [1], "kind": "polynomial", "degree": true}',
            422,
            "/degree",
        ),
        ("/fit?x=1&x=a&y=1&y=2", "", "", 422, "/x/1/0"),
        (
            "/question-answering",
            JSON,
            MANY_WRONG_ITEMS,
            422,
            "/tags/0",
        ),
        (
            "/factorize",
            JSON,
            MANY_FIELDS,
            422,
            "3000 fields",
        ),
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


def test_query_strings_whose_bytes_are_sent_as_they_are(client: FlaskClient) -> None:
    """As curl sends them: they are UTF-8 as well as those that are percent-encoded, or refused."""
    raw = {"QUERY_STRING": "text=sch\u00c3\u00b6n"}  # to WSGI, bytes are the characters of Latin-1
    told = client.post("/upper", environ_overrides=raw).get_json()
    assert told["text"] == "schön"
    assert told["id"] == client.post("/upper?text=sch%C3%B6n").get_json()["id"]
    reply = client.post("/upper", environ_overrides={"QUERY_STRING": "text=sch\u00f6n"})
    assert reply.status_code == 400
    assert "not UTF-8 (byte 8)" in reply.get_json()["detail"]


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
    response = client.post("/factorize", data=b"x" * 100_001, content_type=JSON)
    assert_problem(response, 413)
    assert "DONEYET_MAX_BODY_BYTES" in response.get_json()["detail"]
    assert client.post("/upper", json={"text": "x" * 99_000}).status_code == 202


def test_encoded_bodies_are_refused(client: FlaskClient) -> None:
    """A compressed body is not unpacked, and the answer says so."""
    response = client.post("/factorize", data=b"{}", headers={"Content-Encoding": "gzip"})
    assert_problem(response, 415)
    assert response.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("encoding", ["identity", "Identity", "identity, identity", ""])
def test_a_body_may_say_that_it_is_as_it_is(client: FlaskClient, encoding: str) -> None:
    """`identity` is no encoding."""
    headers = {"Content-Encoding": encoding}
    assert client.post("/factorize", json={"number": 6}, headers=headers).status_code == 202


def test_equal_numbers_are_one_task(client: FlaskClient) -> None:
    """There is one zero, and a whole number in the place of a float is that float."""
    for path, name, numbers in [
        ("/sleep", "seconds", ["0.0", "-0.0", "0", "-0", "0e5", "-0.0e-9"]),
        ("/sleep", "seconds", ["1", "1.0", "10e-1", "1.00"]),
        ("/upper", "extra", ["-0.0", "0.0"]),
        ("/upper", "extra", ['{"a": [-0.0, "-0.0"]}', '{"a": [0.0, "-0.0"]}']),
    ]:
        text = '"text": "a", ' if path == "/upper" else ""
        ids = {
            client.post(path, data=f'{{{text}"{name}": {number}}}', content_type=JSON).get_json()[
                "id"
            ]
            for number in numbers
        }
        assert len(ids) == 1, (path, numbers)


def test_equal_texts_of_other_characters_are_other_tasks(client: FlaskClient) -> None:
    """What looks alike but is written otherwise (NFC, NFD) is not made the same."""
    texts = ["\u00e9", "e\u0301"]
    assert len({client.post("/upper", json={"text": one}).get_json()["id"] for one in texts}) == 2


def test_wrong_fields_of_an_array_are_bounded(client: FlaskClient) -> None:
    """Each item says what is wrong; all wrong fields are named of the first items only."""
    items = [{f"field{n}": n for n in range(60)} for _ in range(100)]
    problems = client.post("/factorize", json=items).get_json()
    assert {problem["status"] for problem in problems} == {422}
    assert all("number: is required" in problem["detail"] for problem in problems)
    named = sum(len(problem.get("errors", [])) for problem in problems)
    assert len(problems[0]["errors"]) == 50
    assert named <= 1050


def test_a_problem_does_not_repeat_a_long_name(client: FlaskClient) -> None:
    """What was sent is shown in part."""
    response = client.post("/factorize", json={"x" * 50_000: 1, "y" * 40_000: 1})
    assert_problem(response, 422)
    assert len(response.data) < 10_000


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
