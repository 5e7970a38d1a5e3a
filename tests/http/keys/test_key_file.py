"""What a key file may say."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from doneyet.setting_values import SettingError
from http_server.keys.key_file import Key, new_secret, parse_keys, read_key_file, sha256_of
from http_server.keys.roles import Role

HASHES = [hashlib.sha256(text).hexdigest() for text in (b"a", b"b", b"c")]


def test_lines() -> None:
    """Name, role and hash, then options; blank lines and comments say nothing."""
    text = (
        "# who may ask\n\n"
        f"search.v2 ask {HASHES[0]}\r\n"
        f"  nightly_job-1\tread {HASHES[1]} priority=4 rate=2.5 weight=7  # slow\n"
        f"boss operate {HASHES[2]}"
    )
    assert list(parse_keys(text).values()) == [
        Key("search.v2", Role.ASK, HASHES[0], weight=1, priority=1, rate=0),
        Key("nightly_job-1", Role.READ, HASHES[1], weight=7, priority=4, rate=2.5),
        Key("boss", Role.OPERATE, HASHES[2]),
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("a ask", "a key is name role sha256"),
        (f"a/b ask {HASHES[0]}", "a name has 1 to 64 letters"),
        (f"{'a' * 65} ask {HASHES[0]}", "a name has 1 to 64 letters"),
        (f"é ask {HASHES[0]}", "a name has 1 to 64 letters"),
        (f"dyk_x ask {HASHES[0]}", "a name cannot begin with dyk_"),
        (f"a admin {HASHES[0]}", "the role must be one of ask, read, operate"),
        (f"a ASK {HASHES[0]}", "the role must be one of ask, read, operate"),
        (f"a ask {HASHES[0][:-1]}", "64 hexadecimal digits"),
        (f"a ask {HASHES[0].upper()}", "64 hexadecimal digits"),
        ("a ask dyk_secret", "not the key itself"),
        (f"a ask {HASHES[0]} heavy", "weight=N, priority=N and rate=N"),
        (f"a ask {HASHES[0]} wieght=2", "weight=N, priority=N and rate=N"),
        (f"a ask {HASHES[0]} rate=2 rate=3", "each once"),
        (f"a ask {HASHES[0]} weight=0", "weight must be a whole number from 1 to 100"),
        (f"a ask {HASHES[0]} weight=101", "weight must be a whole number from 1 to 100"),
        (f"a ask {HASHES[0]} weight=٣", "weight must be a whole number from 1 to 100"),
        (f"a ask {HASHES[0]} priority=6", "priority must be a whole number from 1 to 5"),
        (f"a ask {HASHES[0]} rate=0", "rate must be a number of requests per second above 0"),
        (f"a ask {HASHES[0]} rate=-1", "rate must be a number"),
        (f"a ask {HASHES[0]} rate=inf", "rate must be a number"),
        (f"b ask {HASHES[1]}", "the same key stands in an earlier line"),
        (f"b read {HASHES[0]}", "both keys of b must have the same role"),
        (f"b ask {HASHES[0]} weight=2", "both keys of b must have the same role"),
        (f"b ask {HASHES[0]}\nb ask {HASHES[2]}", "b has 2 keys already"),
    ],
)
def test_what_is_no_key(wrong: str, said: str, tmp_path: Path) -> None:
    """An error at the start that names setting, file and line, and shows no key."""
    path = tmp_path / "keys.txt"
    path.write_text(f"b ask {HASHES[1]}\n\n{wrong}\n")
    number = 3 + wrong.count("\n")
    with pytest.raises(SettingError) as caught:
        read_key_file(path)
    message = str(caught.value)
    assert message.startswith(f"DONEYET_KEYS: {str(path)!r}, line {number}: ")
    assert said in message
    assert "dyk_secret" not in message


def test_two_keys_of_a_name() -> None:
    """While one takes the place of the other."""
    keys = parse_keys(f"b ask {HASHES[0]} rate=2\nb ask {HASHES[1]} rate=2.0\n")
    assert [key.name for key in keys.values()] == ["b", "b"]


@pytest.mark.parametrize("text", ["", "\n \n", "# nobody yet\n"])
def test_a_file_without_keys(text: str, tmp_path: Path) -> None:
    """Refused: whoever made it wants keys, and an empty list of them must not mean none needed."""
    path = tmp_path / "keys.txt"
    path.write_text(text)
    with pytest.raises(SettingError, match="has no key; make one: doneyet key new"):
        read_key_file(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing one, a folder, and bytes that are no text."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name, why in [("gone", "No such file"), (".", "Is a directory"), ("bytes", "no text")]:
        with pytest.raises(SettingError, match=rf"^DONEYET_KEYS: .*{why}"):
            read_key_file(tmp_path / name)


def test_a_pipe(tmp_path: Path) -> None:
    """Is refused at once: whoever opens one may wait for ever, and it can be read once only."""
    os.mkfifo(tmp_path / "keys")
    with pytest.raises(SettingError, match="is a pipe"):
        read_key_file(tmp_path / "keys")


def test_a_new_key() -> None:
    """32 random bytes that show what they are; a line of a file says their hash."""
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"dyk_[A-Za-z0-9_-]{43}", secret) for secret in secrets)
    for key in (
        Key("a", Role.ASK, sha256_of(new_secret())),
        Key("b", Role.OPERATE, sha256_of(new_secret()), weight=3, priority=2, rate=0.5),
    ):
        assert parse_keys(key.to_line()) == {key.sha256: key}


@pytest.mark.parametrize("sent", ["", "é", "\ud800", "x" * 60_000])
def test_any_text_has_a_hash(sent: str) -> None:
    """Whatever a client sends, it is no error."""
    assert len(sha256_of(sent)) == 64
