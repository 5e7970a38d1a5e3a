"""`tasks`, `workers` and the bulk `cancel`: what they ask, and what they print for whom."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from doneyet.client import ProblemError
from doneyet.command.asking import main
from doneyet.command.texts import BLOCKS, LETTERS, duration, plain, sparkline, table
from tests.client.conftest import MakeClient, MakeStub
from tests.client.stub_server import Asked, Says, StubServer, in_turn, problem

AT = "2026-11-27T00:10:00.000Z"


def listed(number: int, **members: Any) -> dict[str, Any]:
    """One of the tasks that a server lists."""
    times = {"submitted_at": AT, "started_at": AT, "finished_at": "2026-11-27T00:10:02.500Z"}
    return {
        "id": f"{number:040x}",
        "type": "double",
        "status": "done",
        "attempts": 1,
        **times,
        **members,
    }


FAILED = listed(2, status="failed", error={"code": "task-failed", "detail": "no\nluck \x1b[31m"})
RUNNING = listed(
    3, status="running", finished_at=None, progress={"fraction": 0.5, "message": "half"}
)


def run(server: StubServer, *arguments: str) -> int:
    return main(["--url", server.url, *arguments])


def queries(server: StubServer) -> list[tuple[str, dict[str, str]]]:
    """Method, and parameters, of each request."""
    split = [(asked.method, urlsplit(asked.path)) for asked in server.asked]
    assert {parts.path for _, parts in split} == {"/tasks"}
    return [
        (method, {name: values[0] for name, values in parse_qs(parts.query).items()})
        for method, parts in split
    ]


def test_tasks_as_a_table(stub: MakeStub, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each: how it is and since when, how long it ran, why it failed; nothing of what a task
    said does something to the terminal."""
    server = stub(in_turn(Says(200, {"tasks": [listed(1), FAILED, RUNNING], "next": None})))
    assert run(server, "tasks", "--type", "double", "--status", "failed", "--id", "0000") == 0
    head, done, failed, running = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "TYPE", "STATUS", "SINCE", "RAN"]
    assert done.split() == [
        *(f"{1:040x}", "double", "done", "2026-11-27", "00:10:02.500Z", "2.5", "s")
    ]
    assert failed.endswith("task-failed: no luck  [31m")
    assert running.endswith("50% half")
    asked = {"type": "double", "status": "failed", "id": "0000", "limit": "200"}
    assert queries(server) == [("GET", asked)]


def test_tasks_of_several_pages(stub: MakeStub, capsys: pytest.CaptureFixture[str]) -> None:
    """As many as are asked for, a JSON object a line; no page is fetched that nobody looks at."""

    def page(asked: Asked) -> Says:
        first = 0 if "after" not in asked.path else 200
        tasks = [listed(number) for number in range(first, first + 200)]
        return Says(200, {"tasks": tasks, "next": "more"})

    server = stub(page)
    assert run(server, "tasks", "--limit", "201", "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told == [listed(number) for number in range(201)]
    first = {"limit": "200"}
    assert queries(server) == [("GET", first), ("GET", first | {"after": "more"})]


def test_workers(stub: MakeStub, capsys: pytest.CaptureFixture[str]) -> None:
    """What each runs, and for how long the task that runs longest."""
    began = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    busy = {
        "owner": "host:1:a",
        "type": "double",
        "version": "1",
        "running_count": 2,
        "running": [{"id": "a" * 40, "started_at": began}, {"id": "b" * 40, "started_at": AT}],
    }
    idle = busy | {"owner": "host:2:b", "running": [], "running_count": 0}
    server = stub(in_turn(Says(200, {"workers": [busy, idle]})))
    assert run(server, "workers") == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["WORKER", "TYPE", "VERSION", "RUNNING", "LONGEST"]
    assert first.split() == ["host:1:a", "double", "1", "2", "5", "min", "a" * 40]
    assert second.split() == ["host:2:b", "double", "1", "0"]
    assert run(server, "workers", "--json") == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [busy, idle]


def test_all_that_wait_are_cancelled(stub: MakeStub, capsys: pytest.CaptureFixture[str]) -> None:
    """One request; what it told is printed."""
    server = stub(in_turn(Says(200, {"cancelled": 5, "left": 1})))
    assert run(server, "cancel", "--type", "double", "--waiting") == 0
    assert json.loads(capsys.readouterr().out) == {"cancelled": 5, "left": 1}
    assert queries(server) == [("DELETE", {"type": "double", "status": "waiting"})]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--type", "double"],
        ["--waiting"],
        ["id-1", "--type", "double", "--waiting"],
        ["id-1", "--waiting"],
        ["id-1", "--type", "double"],
    ],
)
def test_what_cancels_nothing(stub: MakeStub, arguments: list[str]) -> None:
    """Whoever does not say exactly which asks nothing of the server."""
    server = stub(in_turn(Says(200, {})))
    assert run(server, "cancel", *arguments) == 2
    assert server.asked == []


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_a_terminal_is_asked_first(
    stub: MakeStub, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    """With how many wait; `--yes` asks nothing."""
    questions: list[str] = []

    def confirm(question: str, **_: Any) -> bool:
        questions.append(question)
        return typed.startswith("y")

    server = stub(in_turn(Says(200, {"waiting": 5, "cancelled": 5, "left": 0})))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.confirm", confirm)
    assert run(server, "cancel", "--type", "double", "--waiting") == code
    assert questions == ["Cancel all waiting tasks of double, now 5, for all clients?"]
    assert [asked.method for asked in server.asked] == ["GET", *(["DELETE"] if code == 0 else [])]
    assert run(server, "cancel", "--type", "double", "--waiting", "--yes") == 0
    assert len(questions) == 1


def test_a_refusal_is_told(stub: MakeStub, client_of: MakeClient) -> None:
    """Such as that a queue mode has no list."""
    server = stub(in_turn(Says(501, problem(501, "start with --distributed"))))
    assert run(server, "tasks", "--status", "waiting") == 1
    with pytest.raises(ProblemError, match="--distributed"):
        client_of(server).cancel_waiting("double")


def test_texts() -> None:
    """What tables are made of."""
    assert table(["A", "B"], [["long", 1], ["", "x\ty"]]) == ["A     B", "long  1", "      x y"]
    assert plain("a\x1b[2J\u202eb") == "a [2J b"
    assert len(plain("x" * 1000)) == 200
    told = [duration(each) for each in (None, 0, 0.0421, 59, 90, 7200)]
    assert told == ["-", "0 s", "0.0421 s", "59 s", "1.5 min", "2 h"]
    assert sparkline([0, 1, 50, 100]) == " ▁▄█"
    assert sparkline([0, 1, 50, 100], LETTERS) == " .=@"
    assert sparkline([0, 0]) == "  "
    assert len(BLOCKS) == len(LETTERS)
