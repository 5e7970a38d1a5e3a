"""Fit, predict and score, over HTTP in every queue mode."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from doneyet.client import Client
from doneyet.client.errors import TaskFailedError
from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.system import System
from doneyet.settings import QUEUE_MODES, Settings
from doneyet.task_types.registry import load_registry
from task_manager import open_task_manager
from task_manager.result_lookup import recaller

ROOT = Path(__file__).parents[2]
X = [[0, 1], [1, 0], [2, 2], [3, 1], [4, 5]]
Y = [3 + 2 * a - b for a, b in X]


@pytest.fixture(scope="module", params=QUEUE_MODES)
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    """A system of each queue mode."""
    with System(processes=1, queue_mode=request.param) as serving:
        yield serving


def ask(system: System, endpoint: str, **question: Any) -> dict[str, Any]:
    """The finished answer."""
    while True:
        reply = requests.post(f"{system.url}/{endpoint}", json=question, timeout=30)
        answer: dict[str, Any] = reply.json()
        if reply.status_code != 202:
            return answer
        time.sleep(0.05)


def test_fit_predict_score(system: System) -> None:
    """The fitted model goes by the hash of its data and settings, which is its task's id."""
    fit = ask(system, "fit", x=X, y=Y)
    assert fit["constant"] == pytest.approx(3)
    assert {each["term"]: each["value"] for each in fit["coefficients"]} == {
        "x0": pytest.approx(2),
        "x1": pytest.approx(-1),
    }
    assert fit["r2"] == pytest.approx(1)
    assert "x" not in fit
    assert fit["fitted"] == fit.get("id", fit["fitted"])
    assert ask(system, "predict", model=fit["fitted"], x=[[10, 3]])["y"] == [pytest.approx(20)]
    score = ask(system, "score", model=fit["fitted"], x=X, y=[y + 1 for y in Y])
    assert score["rmse"] == pytest.approx(1)
    assert score["rows"] == 5


def test_polynomials(system: System) -> None:
    """Of one variable, whose numbers need no rows of their own."""
    x = [-2, -1, 0, 1, 2]
    fit = ask(system, "fit", x=x, y=[at * at - at for at in x], kind="polynomial")
    assert [each["term"] for each in fit["coefficients"]] == ["x0", "x0^2"]
    assert ask(system, "predict", model=fit["fitted"], x=[3])["y"] == [pytest.approx(6)]


def test_an_unknown_model_can_be_fitted_and_asked_again(system: System) -> None:
    """At once with `no-cache`, as the failure says."""
    x, y = [1.5, 2.5, 3.5, 5.0], [1.0, 2.0, 2.5, 4.0]
    kind = load_registry(Settings()).types["regression-fit"]
    name = kind.task_id(kind.canonical(kind.Input(x=x, y=y)))
    unknown = ask(system, "predict", model=name, x=[1])
    assert "POST its data to /fit" in unknown["error"]["detail"]
    assert ask(system, "fit", x=x, y=y)["fitted"] == name
    again = requests.post(
        f"{system.url}/predict",
        json={"model": name, "x": [1]},
        headers={"Cache-Control": "no-cache", "Prefer": "wait=20"},
        timeout=30,
    ).json()
    assert len(again["y"]) == 1


def test_singular_data_fail_with_a_reason(system: System) -> None:
    """Which names the terms."""
    failed = ask(system, "fit", x=[[1, 2], [2, 4], [3, 6]], y=[1, 2, 3])
    assert "cannot tell these terms from others: x0, x1" in failed["error"]["detail"]


def test_a_model_of_other_columns(system: System) -> None:
    """Mismatched data are told apart from an unknown model."""
    fit = ask(system, "fit", x=X, y=Y)
    failed = ask(system, "predict", model=fit["fitted"], x=[[1, 2, 3]])
    assert "3 numbers, and the model has 2 variables" in failed["error"]["detail"]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"x": [[1, 2], [3]], "y": [1, 2]}, "x[1] has 1 numbers, and x[0] has 2"),
        ({"x": [1, 2, 3], "y": [1, 2]}, "x has 3 rows, and y has 2 numbers"),
        ({"x": [], "y": []}, "at least 1"),
        ({"x": [1], "y": [1]}, "2 coefficients need as many rows, and x has 1"),
        ({"x": [1, 2], "y": [1, 2], "kind": "cubic"}, "'multivariate' or 'polynomial'"),
        ({"x": [1, 2], "y": [1, 2], "degree": 2}, "degree is for kind 'polynomial'"),
        ({"x": [["a"]], "y": [1]}, "/x/0/0"),
        ({"x": [[0] * 60] * 2, "y": [1, 2], "kind": "polynomial"}, "make 1890 terms"),
    ],
)
def test_data_that_cannot_be_fitted_are_refused(
    system: System, question: dict[str, Any], reason: str
) -> None:
    """At once, by the HTTP server, and nothing waits."""
    reply = requests.post(f"{system.url}/fit", json=question, timeout=10)
    assert reply.status_code == 422
    assert reason in reply.json()["detail"]


def test_many_predictions_in_one_request(system: System) -> None:
    """An array of inputs, as at any endpoint."""
    fit = ask(system, "fit", x=X, y=Y)
    with Client(system.url) as client:
        answers = client.map(
            "predict", [{"model": fit["fitted"], "x": [[n, 0]]} for n in range(50)]
        )
        for n, answer in enumerate(answers):
            assert isinstance(answer, dict)
            assert answer["y"] == [pytest.approx(3 + 2 * n)]
        with pytest.raises(TaskFailedError, match="no fitted model"):
            client.run("predict", model="0" * 40, x=[[1, 2]])


def test_the_example(system: System) -> None:
    """A person sees a curve near the true one."""
    ran = subprocess.run(
        [sys.executable, ROOT / "examples" / "regression.py", system.url],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    curve, score, predicted = ran.stdout.splitlines()
    numbers = [float(text) for text in re.findall(r"[+-]?\d+\.\d+", curve)]
    assert numbers == pytest.approx([1, 2, -0.5], abs=0.2)
    assert float(re.findall(r"R\^2 (\S+),", score)[0]) > 0.98
    assert [float(text) for text in predicted.split(":")[1].split(",")] == pytest.approx(
        [1, 2.5, 3], abs=0.2
    )


def test_recalling_waits_for_redis() -> None:
    """A task must not fail because Redis was away for a moment."""
    with EmbeddedRedis() as server:
        settings = Settings(redis_url=server.url)
        manager = open_task_manager(settings, load_registry(settings).types)
        found: list[Any] = []
        server.kill()
        recall = recaller(manager)
        asking = threading.Thread(target=lambda: found.append(recall("regression-fit", "0" * 40)))
        asking.start()
        asking.join(0.7)
        assert asking.is_alive()
        server.start()
        asking.join(10)
        assert found == [None]
        manager.close()
