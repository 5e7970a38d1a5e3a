"""What the client can see is wrong is refused in one line, before anything is sent or replaced."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from doneyet.client import Client
from tests.client.conftest import MakeStub
from tests.client.stub_server import Says, StubServer, done
from tests.client.test_map import all_done
from tests.client.test_streams import command, run


@pytest.fixture
def server(stub: MakeStub) -> StubServer:
    """One that answers everything at once."""
    return stub(all_done)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["double", "number=15", "number=16"], "number is given twice"),
        (["double", "number=15", '{"number": 16}'], "number is given twice"),
        (["task", "../load"], "a task's id is"),
        (["cancel", "a?b"], "a task's id is"),
        (["task", "."], "a task's id is"),
    ],
)
def test_one_line(server: StubServer, arguments: list[str], said: str) -> None:
    """And exit code 2; nothing is sent."""
    ended = run(server, *arguments)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not server.asked


@pytest.mark.parametrize("task_id", ["../load", "", "a/b", "a#b", "a%2fb", "a b"])
def test_ids(server: StubServer, task_id: str) -> None:
    """No path is made of what is no id."""
    with Client(server.url) as client:
        for do in (client.task, client.cancel):
            with pytest.raises(ValueError, match="a task's id is"):
                do(task_id)
    assert not server.asked


@pytest.mark.parametrize("value", ["1e400", "-1e400", "[1, 1e999]"])
def test_numbers_too_large(stub: MakeStub, value: str) -> None:
    """They are sent as text, like all that is not JSON, which the server refuses by name."""
    server = stub(lambda _: Says(200, done(1)))
    assert run(server, "double", f"number={value}").returncode == 0
    assert server.asked[0].body == {"number": value}


@pytest.mark.parametrize("how", ["its name", "a link", "a hard link", "another path"])
def test_the_input_as_output(server: StubServer, tmp_path: Path, how: str) -> None:
    """It would be replaced by its answers."""
    source = tmp_path / "x.jsonl"
    source.write_text('{"number": 1}\n')
    other = tmp_path / "y.jsonl"
    if how == "a link":
        other.symlink_to(source)
    elif how == "a hard link":
        other.hardlink_to(source)
    else:
        other = source if how == "its name" else tmp_path / ".." / tmp_path.name / "x.jsonl"
    ended = run(server, "map", "double", source, "-o", other)
    assert ended.returncode == 2
    assert "is the input, too" in ended.stderr
    assert source.read_text() == '{"number": 1}\n'


def test_bytes_that_are_no_utf8(server: StubServer, tmp_path: Path) -> None:
    """File, line and byte are named; the other lines are answered."""
    source = tmp_path / "x.jsonl"
    source.write_bytes(b'{"number": 1}\n{"number": "\xff"}\n{"number": 3}\n')
    ended = run(server, "map", "double", source, "-q")
    assert ended.returncode == 1
    assert f"{source}:2: not UTF-8: the byte 0xff at character 13" in ended.stderr
    assert len(ended.stdout.splitlines()) == 3


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(stub: MakeStub, closed: str) -> None:
    """Nobody reads, and that is all."""
    server = stub(lambda _: Says(200, done(1)))
    words = " ".join(f"'{word}'" for word in command(server, "double", "number=1"))
    ended = subprocess.run(
        ["bash", "-c", f"{words} {closed}"], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
