"""`python -m doneyet.client`: what it asks, what it prints, how it exits."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from doneyet.command.asking import main
from tests.client.conftest import MakeStub
from tests.client.stub_server import Asked, Says, StubServer, done, in_turn, pending, problem
from tests.client.test_map import all_done

FAILED = done(1, status="failed", error={"code": "task-failed", "detail": "no luck"})


def run(server: StubServer, *arguments: str) -> int:
    return main(["--url", server.url, "--patience-s", "0.3", *arguments])


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_answer_is_printed_as_json(stub: MakeStub, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for programs, and exit code 0; options may stand at the end too."""
    server = stub(in_turn(Says(202, pending(21)), Says(200, done(21))))
    assert main(["double", "number=21", "--url", server.url]) == 0
    assert json.loads(capsys.readouterr().out) == done(21)
    assert server.asked[0].path == "/double"


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["number=408216"], {"number": 408216}),
        (["number=123456789012345678901234567890"], {"number": 123456789012345678901234567890}),
        (["text=hello world"], {"text": "hello world"}),
        (["text=a=b"], {"text": "a=b"}),
        (['text="5"'], {"text": "5"}),
        (["text="], {"text": ""}),
        (["texts=[1, 2]", "deep=true"], {"texts": [1, 2], "deep": True}),
        (["number=NaN"], {"number": "NaN"}),
        (['{"number": 5}'], {"number": 5}),
        ([], {}),
    ],
)
def test_values_are_json_or_text(stub: MakeStub, arguments: list[str], sent: Any) -> None:
    """A value that parses as JSON is that value, any other is text."""
    server = stub(in_turn(Says(200, done(1))))
    assert run(server, "double", *arguments) == 0
    assert server.asked[0].body == sent


@pytest.mark.parametrize(
    ("says", "code", "told"),
    [
        (Says(200, FAILED), 1, "TaskFailedError: no luck"),
        (Says(422, problem(422, "x", ("/number", "too small"))), 1, "number: too small"),
        (Says(404, problem(404, "no such endpoint")), 1, "NotFoundError: no such endpoint"),
        (Says(503, problem(503, "Redis is away")), 3, "UnavailableError: Redis is away"),
        (Says(200, "<html>"), 3, "is this a doneyet server?"),
    ],
)
def test_exit_codes(
    stub: MakeStub, capsys: pytest.CaptureFixture[str], says: Says, code: int, told: str
) -> None:
    """1: asked and refused or failed. 3: no answer. One line says why, nothing is printed."""
    assert run(stub(in_turn(says)), "double", "number=1") == code
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.count("\n") == 1


def test_a_timeout_is_no_answer(stub: MakeStub, capsys: pytest.CaptureFixture[str]) -> None:
    """`--timeout-s` ends the waiting with exit code 3."""
    server = stub(in_turn(Says(202, pending(1))))
    assert run(server, "double", "number=1", "--timeout-s", "0.2") == 3
    assert "still waiting after 0.2 s" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["double", "number"],
        ["double", "{broken"],
        ["double", "--no-such-option"],
        ["map", "double"],
        [],
        ["--url", "localhost:8080", "double"],
        ["map", "double", "/no/such/file.jsonl"],
    ],
)
def test_wrong_command_lines_exit_with_2(arguments: list[str]) -> None:
    """Whether found by the parser or later, a wrong command line is exit code 2."""
    try:
        code: object = main(arguments)
    except SystemExit as exited:
        code = exited.code
    assert code == 2


def test_no_wait_prints_how_the_task_is(stub: MakeStub, capsys: pytest.CaptureFixture[str]) -> None:
    """One request, whatever it says; a failed task is still exit code 1."""
    server = stub(in_turn(Says(202, pending(1)), Says(200, FAILED)))
    assert run(server, "double", "number=1", "--no-wait") == 0
    assert json.loads(capsys.readouterr().out)["status"] == "waiting"
    assert run(server, "double", "number=1", "--no-wait") == 1


def test_task_cancel_and_load(stub: MakeStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Each prints what the server says; `/load` is an endpoint, `load` is not."""
    server = stub(in_turn(Says(200, done(1))))
    for arguments in (["task", "a"], ["cancel", "a"], ["/load", "x=1"]):
        assert run(server, *arguments) == 0
    assert run(server, "load") == 0
    assert capsys.readouterr().out.count("id-1") == 4
    assert [f"{asked.method} {asked.path}" for asked in server.asked] == [
        "GET /tasks/a",
        "DELETE /tasks/a",
        "POST /load",
        "GET /load",
    ]


def test_map_answers_line_by_line(stub: MakeStub, tmp_path: Path) -> None:
    """As many lines out as in, in the same order; blank lines are none."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(f'{{"number": {number}}}\n\n' for number in range(1200)))
    assert run(stub(all_done), "map", "double", str(source), "-o", str(target)) == 0
    assert lines_of(target) == [done(number) for number in range(1200)]
    assert list(tmp_path.iterdir()) in ([source, target], [target, source])


def test_map_names_the_lines_that_failed(
    stub: MakeStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken lines, refused inputs and failed tasks keep their place and are told by number."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b'{"number": 0}\n{broken\n\n{"number": 1}\n{"number": 2}\n\xff\nNaN\n')
    refused = problem(422, "x", ("/number", "too large"))
    server = stub(in_turn(Says(200, [done(0), FAILED, refused])))
    assert run(server, "map", "double", str(source), "-o", str(target), "-q") == 1
    answers = lines_of(target)
    assert answers[0] == done(0)
    assert answers[2] == FAILED
    assert [item.get("error", {}).get("code") for item in answers] == [
        *(None, "invalid-json", "task-failed", "invalid-input", "invalid-json", "invalid-json")
    ]
    assert answers[3]["error"]["errors"] == [{"pointer": "/number", "detail": "too large"}]
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0].removeprefix(f"{source}:") for line in told] == list("24567")
    assert told[2] == f"{source}:5: number: too large"


def test_map_leaves_no_half_file(stub: MakeStub, tmp_path: Path) -> None:
    """When the server goes for good, the output is what it was before."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"number": 0}\n')
    target.write_text("before\n")
    server = stub(in_turn(Says(503, problem(503, "away"))))
    assert run(server, "map", "double", str(source), "-o", str(target)) == 3
    assert target.read_text() == "before\n"
    assert sorted(tmp_path.iterdir()) == [source, target]


def test_map_reads_and_writes_streams(
    stub: MakeStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-` is standard input, and standard output is where answers go by default."""
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"number": 1}\n{"number": 2}\n'))
    assert run(stub(all_done), "map", "double", "-") == 0
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [done(1), done(2)]
    assert err.startswith("double: 2 done")


def test_map_sends_numbers_as_they_are_written(stub: MakeStub, tmp_path: Path) -> None:
    """Lines are passed on, not parsed and written anew, so no digit changes."""
    source = tmp_path / "in.jsonl"
    source.write_text('{"number": 1.10000000000000000001}\n')
    texts: list[Asked] = []

    def decide(asked: Asked) -> Says:
        texts.append(asked)
        return Says(200, [done(1)])

    assert run(stub(decide), "map", "double", str(source), "-q") == 0
    assert texts[0].headers["Content-Length"] == str(len('[{"number": 1.10000000000000000001}]'))


def test_help_documents_the_exit_codes() -> None:
    """`--help` has examples and every exit code."""
    done_process = subprocess.run(
        [sys.executable, "-m", "doneyet.client", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for words in ("factorize number=408216", "0    ", "1    ", "2    ", "3    ", "130  "):
        assert words in done_process.stdout
