"""The `requests` snippets that the project grew from, adapted in host and port only.

Where the server there answered in the same request, here the same request is made again until the
answer is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from doneyet.local.demo_models import PAGE
from doneyet.local.system import System
from examples.prepare_data import main as prepare_data

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where files for jobs are."""
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[str]:
    """`http://0.0.0.0:8080` as it is here."""
    settings = {
        "DONEYET_MODELS": str(ROOT / "models.minilm.toml"),
        "DONEYET_TASKS": "factorization,regression",
        "DONEYET_STORAGE": str(folder),
        "DONEYET_LOAD_MODELS": "at-first-claim",
    }
    with System(processes=1, settings=settings) as system:
        yield system.url


def until_done(url: str, d: dict[str, Any]) -> dict[str, Any]:
    """What `requests.post(url, json=d)` says in the end."""
    while True:
        res = requests.post(url, json=d, headers={"Prefer": "wait=10"}, timeout=30)
        answer: dict[str, Any] = res.json()
        if answer["done"]:
            assert res.status_code == 200
            return answer


def test_summarization(host: str) -> None:
    """`d = {'context': context}` to /summarize_text."""
    url = f"{host}/summarize_text"
    d = {"context": PAGE}
    assert "lighthouse" in until_done(url, d)["summary"]


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("Who built the lighthouse?", "Ada Moreau"),
        ("How many steps are there?", "212"),
        ("How often do supplies arrive?", "Tuesday"),
        ("What did the lamp burn?", "whale oil"),
        ("When was electric light introduced?", "1926"),
        ("How far from the harbour is the rock?", "four miles"),
        ("What happens in fog?", "horn"),
        ("Since when is there no keeper?", "1988"),
    ],
)
def test_qa(host: str, question: str, fact: str) -> None:
    """`{'question': question, 'context': context}` to /ask_question: the right sentence."""
    url = f"{host}/ask_question"
    d = {"question": question, "context": PAGE}
    answer = until_done(url, d)
    assert fact in answer["answer"]
    assert answer["answer"] == PAGE[answer["start"] : answer["end"]]
    assert answer["answer"].count(".") == 1


def test_summarize_batch(host: str, folder: Path) -> None:
    """The book is cut into chapters, and the summaries are in the file some time later."""
    book = "".join(
        f"CHAPTER {number}. Part {number}\n\n{PAGE}\n\n" for number in ("I", "II", "III")
    )
    (folder / "tale_of_two_cities.txt").write_text(book)
    prepare_data([str(folder / "tale_of_two_cities.txt"), str(folder / "tale2cities.json")])
    url = f"{host}/summarize_batch"
    d = {
        "input_filename": "tale2cities.json",
        "output_filename": "tale2cities_chapter_summaries.json",
    }
    assert until_done(url, d)["succeeded"] == 3
    written = json.loads((folder / "tale2cities_chapter_summaries.json").read_text())
    assert [each["title"] for each in written] == [
        *("CHAPTER I. Part I", "CHAPTER II. Part II", "CHAPTER III. Part III")
    ]
    assert all("lighthouse" in each["summary"] for each in written)


def test_summarize_batch_without_polling(host: str, folder: Path) -> None:
    """Asked once, the job is done though nobody asks again."""
    (folder / "texts.json").write_text(json.dumps([PAGE]))
    d = {"input_filename": "texts.json", "output_filename": "asked_once.json"}
    reply = requests.post(f"{host}/summarize_batch", json=d, timeout=30)
    assert reply.status_code == 202
    task = f"{host}{reply.headers['Location']}"
    while not requests.get(task, timeout=30).json()["done"]:  # this does not keep it wanted
        pass
    assert len(json.loads((folder / "asked_once.json").read_text())) == 1
