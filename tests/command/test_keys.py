"""`doneyet key new`: a key that is shown once."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from doneyet.command.keys import ROLE_WORDS
from doneyet.command.main import doneyet
from doneyet.command.running import run
from http_server.keys.key_file import read_key_file, sha256_of
from http_server.keys.roles import ROLES


def new(*arguments: str) -> int:
    """The exit code of `doneyet key new`."""
    return run(doneyet, ["key", "new", *arguments], "doneyet")


def test_a_line_to_add(capsys: pytest.CaptureFixture[str]) -> None:
    """The key alone goes to standard output; what is kept of it is its hash."""
    assert new("search", "--role", "read") == 0
    told = capsys.readouterr()
    secret = told.out.strip()
    assert re.fullmatch(r"dyk_[A-Za-z0-9_-]{43}", secret)
    first, line = told.err.splitlines()
    assert "the only time that the key is shown" in first
    assert "the file that DONEYET_KEYS names" in first
    assert line == f"search read {sha256_of(secret)}"


def test_a_file_that_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For its owner alone; the role is `ask` if nothing else is said."""
    path = tmp_path / "keys.txt"
    assert new("search", "--file", str(path)) == 0
    told = capsys.readouterr()
    assert f"{path} was made" in told.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (key,) = read_key_file(path).values()
    assert (key.name, key.role) == ("search", ROLES["ask"])
    assert key.sha256 == sha256_of(told.out.strip())
    assert told.out.strip() not in path.read_text()


def test_a_second_key_of_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Permits what the first one does, which stays; a third is refused. The file's mode stays."""
    path = tmp_path / "keys.txt"
    path.write_text(f"search read {'0' * 64} weight=3 rate=0.5  # no line break at its end")
    path.chmod(0o644)
    assert new("search", "--file", str(path)) == 0
    first, second = read_key_file(path).values()
    assert (second.role, second.weight, second.rate) == (first.role, 3, 0.5)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert new("other", "--role", "operate", "--file", str(path)) == 0
    before = path.read_text()
    capsys.readouterr()
    assert new("search", "--file", str(path)) == 2
    told = capsys.readouterr()
    assert "search has 2 keys already" in told.err
    assert (told.out, path.read_text()) == ("", before)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a/b"], "a name has 1 to 64 letters"),
        (["a", "--role", "admin"], "'admin' is not one of"),
        (["a", "--file", "/no/such/folder/keys"], "/no/such/folder/keys cannot be written"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_done(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and no key is shown."""
    assert new(*arguments) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""


def test_a_file_that_is_none_of_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is left as it is: its name may be a slip."""
    path = tmp_path / "notes.txt"
    path.write_text("buy milk today\n")
    assert new("a", "--file", str(path)) == 2
    assert "line 1: the role must be" in capsys.readouterr().err
    assert path.read_text() == "buy milk today\n"


def test_another_role_than_the_first_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two keys of a name permit the same."""
    path = tmp_path / "keys.txt"
    path.write_text(f"search read {'0' * 64}\n")
    assert new("search", "--role", "operate", "--file", str(path)) == 2
    assert "both keys of search must have the same role" in capsys.readouterr().err


def test_roles_are_those_of_the_server() -> None:
    """The command spells them without importing it."""
    assert [*ROLE_WORDS] == [*ROLES]
