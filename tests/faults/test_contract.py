"""What is asked and answered in every queue mode, however the models and handlers of a type are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from doneyet.client import Client, TaskFailedError
from doneyet.local.system import System

TASKS = "factorization,regression,tests.faults.contract_tasks"


@pytest.fixture(scope="module", params=["random", "ordered", "rq", "synchronous"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a system of each queue mode is."""
    settings = {"DONEYET_TASKS": TASKS, "DONEYET_LOG_LEVEL": "warning"}
    with System(queue_mode=request.param, settings=settings, processes=1) as system:
        yield system.url


def post(url: str, path: str, **arguments: Any) -> Any:
    """The answer's or problem's object, or an array of them; no name comes twice in one."""
    reply = requests.post(f"{url}/{path}", headers={"Prefer": "wait=20"}, timeout=60, **arguments)
    return json.loads(reply.content, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), f"a name comes twice: {names}"
    return dict(pairs)


def test_run_and_echo_have_what_was_sent(url: str) -> None:
    """Whatever `run` does to its inputs, and whoever is in the same batch."""
    asks = [{"x": [n], "n": n, "bad": n == 3} for n in range(6)]
    answers = post(url, "changing", json=asks)
    assert [answer["v"] for answer in answers] == [2, 2, 2, None, 2, 2]
    assert [{name: answer[name] for name in ("x", "n", "bad")} for answer in answers] == asks


def test_aliases_work_however_the_input_is_sent(url: str) -> None:
    """As JSON, by name too where the model says so, as a form, a query string and a text."""
    seen = "Input(text='a', numbers={1, 2})"
    ways: list[dict[str, Any]] = [
        {"json": {"Text": "a", "Numbers": [1, 2]}},
        {"json": {"text": "a", "numbers": [2, 1, 2]}},
        {"data": {"Text": "a", "Numbers": [2, 1]}},
        {"data": {"text": "a", "numbers": [2, 1]}},
        {"data": "a", "params": {"Numbers": ["1", "2"]}},
    ]
    for way in ways:
        if isinstance(way.get("data"), str):
            way["data"] = way["data"].encode()
        answer = post(url, "aliased", **way)
        assert answer.get("v") == seen, (way, answer)
        assert (answer["Text"], answer["Numbers"]) == ("a", [1, 2])


def test_documented_names_are_those_that_are_read_and_written(url: str) -> None:
    """The reference agrees."""
    schemas = requests.get(f"{url}/openapi.json", timeout=20).json()["components"]["schemas"]
    assert set(schemas["aliased.Input"]["properties"]) == {"Text", "Numbers"}
    assert {"Text", "Numbers", "v"} <= set(schemas["aliased.Answer"]["properties"])
    assert not {"text", "numbers"} & set(schemas["aliased.Answer"]["properties"])


@pytest.mark.parametrize("bad", [{"how": "exit"}, {"how": "key"}, {"near": 1.25}], ids=str)
def test_a_type_that_fails_on_an_input_fails_it_alone(url: str, bad: dict[str, Any]) -> None:
    """A problem that names the type; others of the array are answered."""
    first, problem, last = post(url, "strict", json=[{"how": "a"}, bad, {"near": 2}])
    assert first["v"] == "Input(how='a', near=0.0)"
    assert last["v"] == "Input(how='', near=2.0)"
    assert (problem["status"], problem["type"]) == (500, "urn:doneyet:problem:internal-error")
    assert "the task type strict" in problem["detail"]
    assert post(url, "strict", json=bad) == problem


def test_no_output_says_what_only_doneyet_says(url: str) -> None:
    """Names of doneyet's own, and of echoed inputs."""
    forged, free = post(url, "forging", json=[{"n": 1}, {"n": 0}])
    assert forged["error"]["code"] == "invalid-output"
    assert forged["n"] == 1
    assert free["free"] == 1


def test_integers_that_clients_refuse_are_no_answers(url: str) -> None:
    """The client says so, as the failure that it is."""
    short, long = post(url, "long", json=[{"digits": 4300}, {"digits": 4301}])
    assert len(str(short["v"][0]["deep"])) == 4300
    assert long["error"]["code"] == "invalid-output"
    assert "4301 digits; at most 4300" in long["error"]["detail"]
    with Client(url) as client, pytest.raises(TaskFailedError, match="4301 digits"):
        client.run("long", digits=4301)


def test_a_regression_beyond_double_precision_says_so(url: str) -> None:
    """Fitted, predicting and scoring."""
    failed = [
        post(url, "fit", json={"x": [7, 1], "y": [1, -1.7e308]}),
        post(url, "fit", json={"x": [1, 2, 3], "y": [1e308, -1e308, 1e308], "kind": "polynomial"}),
    ]
    fitted = post(url, "fit", json={"x": [1, 2, 3], "y": [1e307, 2e307, 3e307]})["fitted"]
    failed.append(post(url, "predict", json={"model": fitted, "x": [1e300]}))
    failed.append(post(url, "score", json={"model": fitted, "x": [1e300], "y": [1]}))
    failed.append(post(url, "score", json={"model": fitted, "x": [17], "y": [-1.7e308]}))
    for answer in failed:
        assert answer["error"]["code"] == "task-failed", answer
        assert "for double precision" in answer["error"]["detail"]
