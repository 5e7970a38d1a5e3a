"""File-to-file jobs from end to end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.batch.conftest import Jobs

Start = Callable[..., Jobs]


@pytest.mark.parametrize("queue_mode", ["random", "distributed", "ordered", "rq"])
def test_a_file_becomes_a_file(start_jobs: Start, queue_mode: str) -> None:
    """In the input's order, with one worker process, which the job does not occupy."""
    jobs = start_jobs(queue_mode=queue_mode)
    jobs.write(30)
    answer = jobs.run()
    assert (answer["items"], answer["succeeded"], answer["failed"]) == (30, 30, 0)
    assert answer["written"] == str(jobs.folder / "answers.jsonl")
    jobs.assert_whole(30)


def test_a_job_needs_no_process_until_its_items_do(start_jobs: Start) -> None:
    """Its worker has none when it begins."""
    jobs = start_jobs(processes="0..1")
    jobs.write(30)
    assert jobs.run()["succeeded"] == 30
    jobs.assert_whole(30)


@pytest.fixture
def jobs(in_a_folder: Jobs) -> Jobs:
    """In the default queue mode."""
    return in_a_folder


def test_arrays(jobs: Jobs) -> None:
    """A JSON array in, a JSON array out where the output's name does not say lines."""
    items = [{"n": n} for n in range(5)]
    (jobs.folder / "items.json").write_text(json.dumps(items, indent=1))
    answer = jobs.run(input="items.json", output="below/answers.json", carry=[])
    assert answer["succeeded"] == 5
    written = json.loads((jobs.folder / "below" / "answers.json").read_text())
    assert written == [{"n": n, "square": n * n} for n in range(5)]


def test_broken_lines_are_told_and_the_rest_is_done(jobs: Jobs) -> None:
    """By their line numbers, in their places."""
    lines = ['{"n": 1}', "{broken", "", '{"n": "x"}', '"text"', "\udcff", '{"n": 2, "key": "k"}']
    (jobs.folder / "items.jsonl").write_bytes(
        "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"
    )
    answer = jobs.run()
    assert (answer["items"], answer["succeeded"], answer["failed"]) == (6, 2, 4)
    found = [(error["line"], error["code"]) for error in answer["errors"]]
    assert found == [
        *((2, "invalid-json"), (4, "invalid-input"), (5, "invalid-input"), (6, "invalid-json"))
    ]
    written = jobs.output()
    assert [each.get("square") for each in written] == [1, None, None, None, None, 4]
    assert written[1]["error"]["line"] == 2
    assert "not UTF-8" in written[4]["error"]["detail"]


def test_items_that_fail_do_not_fail_the_job(jobs: Jobs) -> None:
    """Their errors stand in the output, with what was carried."""
    (jobs.folder / "items.jsonl").write_text('{"n": 3, "key": "a"}\n{"m": 3, "key": "b"}\n')
    assert jobs.run()["failed"] == 1
    good, bad = jobs.output()
    assert good == {"key": "a", "n": 3, "square": 9}
    assert bad["key"] == "b"
    assert "/n: is required" in bad["error"]["detail"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1, 2", r"not a JSON array: .* at line 1, column 6"),
        ('[{"n": 1}]\n]', r"there is more after its end at line 2, column 1"),
    ],
)
def test_a_broken_array_fails_the_job(jobs: Jobs, text: str, reason: str) -> None:
    """There is no telling where the next item begins."""
    (jobs.folder / "items.jsonl").write_text(text)
    assert re.search(reason, jobs.run()["error"]["detail"])
    assert not (jobs.folder / "answers.jsonl").exists()


def test_an_empty_file(jobs: Jobs) -> None:
    """Is a job with nothing to do."""
    (jobs.folder / "items.jsonl").write_text("\n")
    assert jobs.run()["items"] == 0
    assert jobs.output() == []


def test_a_dry_run_tells_what_would_be_done(jobs: Jobs) -> None:
    """And does none of it."""
    (jobs.folder / "items.jsonl").write_text('{"n": 1}\n{broken\n')
    answer = jobs.run(dry_run=True)
    assert (answer["items"], answer["succeeded"], answer["failed"]) == (2, 1, 1)
    assert answer["plan"].startswith("would read 2 items from ")
    assert "submit them to slow, and write" in answer["plan"]
    assert answer["written"] is None
    assert not jobs.runs()
    assert [path.name for path in jobs.folder.iterdir()] == ["items.jsonl"]


def test_progress_is_told(jobs: Jobs) -> None:
    """In words and as a fraction."""
    jobs.write(60)
    seen = set()
    while not (answer := jobs.ask())["done"]:
        if answer.get("progress"):
            seen.add(answer["progress"]["message"])
    assert any(re.fullmatch(r"\d+ of 60 done, 0 failed", message) for message in seen), seen


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ({"input": "../secret"}, "/input: "),
        ({"output": "/etc/passwd"}, "not inside what is allowed"),
        ({"input": "s3://bucket/x"}, "not inside what is allowed"),
        ({"output": "./items.jsonl"}, "must be two files"),
        ({"carry": ["error"]}, "/carry/0: 'error' in the output"),
        ({"input": "a/../../b"}, "has .. in it"),
        ({"carry": "key"}, "/carry"),
    ],
)
def test_names_outside_are_refused(jobs: Jobs, job: dict[str, Any], reason: str) -> None:
    """At once, by the HTTP server."""
    answer = jobs.ask(**job)
    assert answer["status"] == 422
    assert reason in answer["detail"]


def test_jobs_that_cannot_be_done(jobs: Jobs) -> None:
    """Say why before any item is asked."""
    jobs.write(3)
    assert "there are: /" in jobs.run(task="no-such")["error"]["detail"]
    assert "items cannot be submitted to 'batch'" in jobs.run(task="batch")["error"]["detail"]
    assert "there is no such file" in jobs.run(input="none.jsonl")["error"]["detail"]
    (jobs.folder / "file").write_text("")
    detail = jobs.run(output="file/answers.jsonl")["error"]["detail"]
    assert "cannot write" in detail
    assert not jobs.runs()
    assert sorted(path.name for path in jobs.folder.iterdir()) == ["file", "items.jsonl"]


def test_two_names_of_one_file(jobs: Jobs) -> None:
    """Links, hard links, a linked folder, whichever of them is read: no item is asked."""
    jobs.write(3)
    text = (jobs.folder / "items.jsonl").read_text()
    (jobs.folder / "link.jsonl").symlink_to("items.jsonl")
    (jobs.folder / "hard.jsonl").hardlink_to(jobs.folder / "items.jsonl")
    (jobs.folder / "folder").symlink_to(".")
    for source, target, dry_run in (
        ("link.jsonl", "items.jsonl", False),
        ("items.jsonl", "hard.jsonl", True),
        ("folder/items.jsonl", "folder/./link.jsonl", False),
    ):
        answer = jobs.run(input=source, output=target, dry_run=dry_run)
        assert "are one file, which would be replaced" in answer["error"]["detail"]
    assert (jobs.folder / "items.jsonl").read_text() == text
    assert (jobs.folder / "link.jsonl").is_symlink()
    assert not jobs.runs()


def test_more_items_than_may_wait(start_jobs: Start) -> None:
    """The job waits for room; other clients' tasks are not refused for it for ever."""
    jobs = start_jobs({"DONEYET_MAX_LOAD": "8"})
    jobs.write(40)
    assert jobs.run()["succeeded"] == 40
    jobs.assert_whole(40)


def test_a_worker_for_jobs_alone(start_jobs: Start) -> None:
    """It has no worker process, so it needs no model; others answer the items."""
    jobs = start_jobs(queue_mode="distributed", worker_arguments=["--types", "batch"])
    load = requests.get(f"{jobs.system.url}/load", timeout=10).json()["types"]
    assert load["batch"]["workers"] == 4
    assert load["slow"]["workers"] == 0


def test_asking_again_costs_nothing(jobs: Jobs) -> None:
    """A repeated item, and a job with other files, are answered from results."""
    first, second = jobs.numbers(2)
    text = f'{{"n": {first}}}\n' * 20 + f'{{"n": {second}}}\n'
    (jobs.folder / "items.jsonl").write_text(text)
    jobs.run()
    jobs.run(output="again.jsonl")
    assert jobs.output("again.jsonl") == jobs.output()
    assert jobs.runs() == {first: 1, second: 1}
