"""A job that is asked again: done is said only while its files are what they were."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.batch.conftest import Jobs
from tests.helpers import wait_until

Start = Callable[..., Jobs]


@pytest.fixture
def jobs(in_a_folder: Jobs) -> Jobs:
    """A job that is done."""
    in_a_folder.write(5)
    assert in_a_folder.run()["succeeded"] == 5
    return in_a_folder


def edit(jobs: Jobs) -> None:
    """One more item, with the file's old time."""
    path = jobs.folder / "items.jsonl"
    old = path.stat()
    jobs.write(6)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))


def replace(jobs: Jobs) -> None:
    """Another file of the same size comes in its place."""
    path = jobs.folder / "items.jsonl"
    last, another = jobs.numbers(6)[4:]
    text = path.read_text().replace(f'"n": {last}', f'"n": {another}')
    (jobs.folder / "new").write_text(text)
    (jobs.folder / "new").replace(path)


@pytest.mark.parametrize("wait_s", [0.0, 1.0])
@pytest.mark.parametrize("change", [edit, replace])
def test_a_changed_input(jobs: Jobs, change: Callable[[Jobs], None], wait_s: float) -> None:
    """The very next question does the job again, and only its new items run."""
    change(jobs)
    answer = jobs.ask(wait_s=wait_s)
    if not answer["done"]:
        answer = jobs.run()
    inputs = (jobs.folder / "items.jsonl").read_text().splitlines()
    assert [line["n"] for line in jobs.output()] == [json.loads(line)["n"] for line in inputs]
    assert answer["items"] == len(inputs)
    assert set(jobs.runs().values()) == {1}


def remove(jobs: Jobs) -> None:
    (jobs.folder / "answers.jsonl").unlink()


def spoil(jobs: Jobs) -> None:
    (jobs.folder / "answers.jsonl").write_text("")


@pytest.mark.parametrize("change", [remove, spoil])
def test_an_output_that_is_gone_or_another(jobs: Jobs, change: Callable[[Jobs], None]) -> None:
    """It is written again; no item runs for it."""
    change(jobs)
    assert jobs.run()["done"]
    jobs.assert_whole(5)
    assert set(jobs.runs().values()) == {1}


def test_an_input_that_is_gone(jobs: Jobs) -> None:
    """Is told as at the first time; the output stays."""
    (jobs.folder / "items.jsonl").unlink()
    assert "there is no such file" in jobs.run()["error"]["detail"]
    jobs.assert_whole(5)


def test_nothing_has_changed(jobs: Jobs) -> None:
    """Every question says done at once, by itself, among others and through `GET`; the output is
    not written again."""
    path = jobs.folder / "answers.jsonl"
    before = path.stat()
    first = jobs.ask()
    for _ in range(10):
        assert jobs.ask() == first
    names = {name: f"{jobs.folder.name}/{name}.jsonl" for name in ("items", "answers")}
    question = {
        "task": "slow",
        "input": names["items"],
        "output": names["answers"],
        "carry": ["key"],
    }
    url = f"{jobs.system.url}/batch"
    told = requests.post(url, json=[question, question, {}], timeout=10).json()
    assert [each.get("done") for each in told] == [True, True, None]
    task = requests.get(f"{jobs.system.url}/tasks/{first['id']}", timeout=10).json()
    assert task["status"] == "done"
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert first["versions"].keys() == {str(jobs.folder / "items.jsonl"), str(path)}
    load = requests.get(f"{jobs.system.url}/load", timeout=10).json()["types"]
    assert "batch-check" not in load


def test_who_keeps_asking_is_answered(jobs: Jobs) -> None:
    """Though somebody writes to the input before each question, as to a log."""
    count = 6

    def asked() -> bool:
        nonlocal count
        jobs.write(count)
        count += 1
        return bool(jobs.ask()["done"])

    wait_until(asked, description="it is told once")


def test_a_dry_run(jobs: Jobs) -> None:
    """Is about files as well."""
    assert "would read 5 items" in jobs.run(dry_run=True)["plan"]
    assert "and replace " in jobs.ask(wait_s=5, dry_run=True)["plan"]
    (jobs.folder / "answers.jsonl").unlink()
    jobs.write(6)
    answer = jobs.run(dry_run=True)
    assert "would read 6 items" in answer["plan"]
    assert "and write " in answer["plan"]


@pytest.mark.parametrize("queue_mode", ["distributed", "ordered"])
def test_in_other_queue_modes(start_jobs: Start, queue_mode: str) -> None:
    """Also by a worker for jobs alone, all of whose jobs are busy."""
    arguments: dict[str, Any] = {}
    if queue_mode == "distributed":
        arguments = {"worker_arguments": ["--types", "batch,slow"]}
    jobs = start_jobs({"DONEYET_BATCH_JOBS": "1"}, queue_mode=queue_mode, **arguments)
    jobs.write(5)
    jobs.run()
    jobs.write(400, "many.jsonl")
    jobs.ask(input="many.jsonl", output="many.out")
    wait_until(
        lambda: jobs.ask(input="many.jsonl", output="many.out")["status"] == "running",
        description="the only slot is busy",
    )
    assert jobs.ask()["done"]
    remove(jobs)
    assert not jobs.ask()["done"]


def test_no_worker_can_tell(start_jobs: Start) -> None:
    """Then it is told as it stands, within seconds."""
    jobs = start_jobs()
    jobs.write(5)
    jobs.run()
    assert jobs.system.worker is not None
    jobs.system.worker.kill()
    remove(jobs)
    assert jobs.ask()["done"]
