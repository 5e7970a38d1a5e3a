"""Trying again: what passes, how often, how long; and extras that are not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from doneyet.task_types.batch.storage.errors import said
from doneyet.task_types.batch.storage.files import Files, StorageError
from doneyet.task_types.batch.storage.patience import MOST_TRIES, PATIENCE_S, patiently
from doneyet.task_types.batch.storage.places import Places


class Failing:
    """Fails some times, then answers."""

    def __init__(self, times: int) -> None:
        self.left, self.tries = times, 0

    def __call__(self) -> str:
        self.tries += 1
        if self.left:
            self.left -= 1
            raise ConnectionError("went away")
        return "answer"


def is_connection(error: Exception) -> bool:
    """What passes in these tests."""
    return isinstance(error, ConnectionError)


def no_sleep(seconds: float) -> None:
    """Where nobody is to wait."""
    raise AssertionError(f"waits for {seconds} s")


def test_what_passes_is_tried_again() -> None:
    """With pauses that grow."""
    pauses: list[float] = []
    assert patiently(Failing(4), is_connection, sleep=pauses.append) == "answer"
    assert len(pauses) == 4
    assert pauses == sorted(pauses)
    assert pauses[-1] > 3 * pauses[0]


def test_what_does_not_pass_is_told_at_once() -> None:
    """Without a pause."""
    failing = Failing(1)
    with pytest.raises(ConnectionError, match="went away"):
        patiently(failing, lambda error: False, sleep=no_sleep)
    assert failing.tries == 1


def test_patience_ends() -> None:
    """After some tries, whose pauses are about half a minute at most."""
    pauses: list[float] = []
    failing = Failing(100)
    with pytest.raises(ConnectionError):
        patiently(failing, is_connection, sleep=pauses.append)
    assert failing.tries == MOST_TRIES
    assert sum(pauses) <= PATIENCE_S


def test_slow_failures_use_patience_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock counts, not only the pauses."""
    monkeypatch.setattr("doneyet.task_types.batch.storage.patience.PATIENCE_S", 0.0)
    failing = Failing(100)
    with pytest.raises(ConnectionError):
        patiently(failing, is_connection, sleep=no_sleep)
    assert failing.tries == 1


def test_whoever_waits_can_be_stopped() -> None:
    """What the sleep raises ends the trying, as it is."""

    def stopped(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        patiently(Failing(1), is_connection, sleep=stopped)


@pytest.mark.parametrize(
    ("library", "location", "extra"),
    [
        ("s3fs", "s3://bucket/x", "s3"),
        ("gcsfs", "gs://bucket/x", "gs"),
        ("pydrive2", "gdrive://folder/x", "gdrive"),
    ],
)
def test_an_extra_that_is_missing(
    library: str, location: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names it."""
    monkeypatch.setitem(sys.modules, library, None)
    for name in [name for name in sys.modules if name.startswith(library + ".")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(
        sys.modules, "doneyet.task_types.batch.storage.drive_file_system", raising=False
    )
    files = Files(Places.parse(location.removesuffix("/x")), gdrive_credentials="none")
    with pytest.raises(StorageError, match=rf"pip install 'doneyet\[{extra}\]'"):
        files.fetch(location, tmp_path / "copy")


@pytest.mark.parametrize(
    "text",
    ["no answer from http://user:secret@host/x", "got 400 for https://host/x?token=secret&a=b"],
)
def test_messages_show_no_secrets(text: str) -> None:
    """Libraries put URLs into what they say, and URLs can hold passwords and tokens."""
    assert "secret" not in said(OSError(text))
    assert "host/x" in said(OSError(text))
