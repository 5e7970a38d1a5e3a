"""The `curl` commands that clients of other servers use, as their documents have them.

Only host and port are adapted. Where those servers held the request, the same command is sent again
until the answer is there.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from doneyet.local.system import System
from tests.helpers import need, wait_until

FILL_MASK = 'curl -X POST -d "test [MASK]" http://localhost:8000/'

SENTIMENT = r"""curl -X 'POST' \
  'http://0.0.0.0:8000/?input_text=i%20like%20you' \
  -H 'accept: application/json' \
  -d ''"""

SENTIMENT_AT_ITS_ENDPOINT = r"""curl -i -X POST \
    'http://an-endpoint/sentiment?input_text=i%20like%20you' \
    -H 'accept: application/json' \
    -d ''"""

BY_ID = "curl -i '<endpoint>/id'"


def system_with_root(models: Path, root_type: str) -> System:
    """A system whose root asks `root_type`."""
    table = models / "root.toml"
    table.write_text(
        '[fill-mask.bert]\nmodel = "./mlm"\n[text-classification.bert]\nmodel = "./classifier"\n'
    )
    settings = {"DONEYET_MODELS": str(table), "DONEYET_ROOT_TYPE": root_type}
    return System(processes=1, settings=settings)


@pytest.fixture(scope="module")
def fill_mask(models: Path) -> Iterator[System]:
    """Words for masks at the root."""
    with system_with_root(models, "fill-mask/bert") as system:
        yield system


@pytest.fixture(scope="module")
def sentiment(models: Path) -> Iterator[System]:
    """Labels at the root."""
    with system_with_root(models, "text-classification/bert") as system:
        yield system


def curl(command: str) -> str:
    """What a shell prints that is given this."""
    need("curl")
    ended = subprocess.run(
        ["sh", "-c", f"{command} --silent --noproxy '*'"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return ended.stdout


def until_done(command: str) -> Any:
    """The answer object: the same command again and again until it says that it is done."""

    def asked() -> Any:
        answer = json.loads(body_of(curl(command)))
        return answer if answer["done"] else None

    return wait_until(asked, description=f"{command} is done", timeout_s=20)


def body_of(printed: str) -> str:
    """What follows the headers that `-i` shows."""
    return printed.replace("\r\n", "\n").split("\n\n", 1)[1] if "HTTP/" in printed else printed


def test_a_text_with_a_mask_at_the_root(fill_mask: System) -> None:
    """`-d` calls it a form; it is the text, and the guesses look as that server's."""
    answer = until_done(FILL_MASK.replace("http://localhost:8000", fill_mask.url))
    assert answer["text"] == "test [MASK]"
    assert len(answer["guesses"]) == 5
    assert all(
        set(each) == {"score", "token", "token_str", "sequence"} for each in answer["guesses"]
    )


def test_a_text_that_begins_with_a_mask(fill_mask: System) -> None:
    """A bracket makes no JSON of it."""
    command = FILL_MASK.replace("test [MASK]", "[MASK] is good")
    answer = until_done(command.replace("http://localhost:8000", fill_mask.url))
    assert answer["text"] == "[MASK] is good"
    assert answer["status"] == "done"


def test_a_query_string_at_the_root(sentiment: System) -> None:
    """With an empty body, as generated documentation sends it."""
    answer = until_done(SENTIMENT.replace("http://0.0.0.0:8000", sentiment.url))
    assert answer["input_text"] == "i like you"
    assert answer["label"] == answer["scores"][0]["label"]


@pytest.mark.parametrize("root", ["fill_mask", "sentiment"])
def test_the_answer_is_found_by_its_id(request: pytest.FixtureRequest, root: str) -> None:
    """Submitting tells an id, and `<endpoint>/<id>` how that task is; whatever the root asks."""
    system: System = request.getfixturevalue(root)
    endpoint = f"{system.url}/sentiment"
    asking = SENTIMENT_AT_ITS_ENDPOINT.replace("http://an-endpoint/sentiment", endpoint)
    task_id = json.loads(body_of(curl(asking)))["id"]
    by_id = BY_ID.replace("<endpoint>/id", f"{endpoint}/{task_id}")
    answer = until_done(by_id)
    assert answer["id"] == task_id
    assert answer["type"] == "text-classification/bert"
    assert answer["label"] == until_done(asking)["label"]
    assert answer == until_done(f"curl '{system.url}/tasks/{task_id}'")
    for elsewhere in (f"{system.url}/fill_mask/{task_id}", f"{endpoint}/{'0' * 40}"):
        printed = curl(f"curl -i '{elsewhere}'")
        assert printed.startswith("HTTP/1.1 404")
        assert json.loads(body_of(printed))["status"] == 404
