"""The keys of a running server follow their file."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from doneyet.setting_values import SettingError
from http_server.keys.key_ring import LOOK_EVERY_S, KeyRing
from tests.http.keys.conftest import line


class Clock:
    """Seconds that pass when a test says so."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one key."""
    path = tmp_path / "keys.txt"
    path.write_text(line("a", "ask", "first"))
    return path


def names(ring: KeyRing, *secrets: str) -> list[str | None]:
    """Whose keys they are."""
    return [key.name if (key := ring.find(secret)) else None for secret in secrets]


def test_keys_are_found(path: Path) -> None:
    """By what was sent, whole."""
    ring = KeyRing(str(path))
    assert names(ring, "first", "firs", "first ", "", "FIRST") == ["a", None, None, None, None]


def test_a_changed_file_is_read_again(path: Path) -> None:
    """Within a second; a key that is no longer there is none."""
    clock = Clock()
    ring = KeyRing(str(path), clock)
    path.write_text(line("b", "ask", "second"))
    clock.now_s = LOOK_EVERY_S * 0.9
    assert names(ring, "first", "second") == ["a", None]  # looked at no more often
    clock.now_s = LOOK_EVERY_S
    assert names(ring, "first", "second") == [None, "b"]


def test_a_file_that_was_replaced_is_read_again(path: Path, tmp_path: Path) -> None:
    """As editors and Kubernetes do it, with the same size and the same times."""
    clock = Clock()
    ring = KeyRing(str(path), clock)
    other = tmp_path / "new"
    other.write_text(line("b", "ask", "other"))
    times = path.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.rename(path)
    clock.now_s += LOOK_EVERY_S
    assert names(ring, "first", "other") == [None, "b"]


@pytest.mark.parametrize("broken", ["a ask nonsense\n", "", None])
def test_a_file_that_goes_bad_keeps_the_keys(
    broken: str | None, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says so, until it is mended; then the file counts again."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    ring = KeyRing(str(path), clock)
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    for _ in range(5):
        clock.now_s += LOOK_EVERY_S
        assert names(ring, "first") == ["a"]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "DONEYET_KEYS" in record.message
    assert str(path) in record.message
    path.write_text(line("b", "ask", "second"))
    clock.now_s += LOOK_EVERY_S
    assert names(ring, "first", "second") == [None, "b"]
    assert [each.levelno for each in caplog.records] == [logging.ERROR, logging.INFO]


def test_an_unchanged_file_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at it is all that a request may cost."""
    clock = Clock()
    ring = KeyRing(str(path), clock)
    monkeypatch.setattr(Path, "read_text", None)
    for _ in range(3):
        clock.now_s += LOOK_EVERY_S
        assert names(ring, "first") == ["a"]


def test_a_server_does_not_start_without_its_keys(tmp_path: Path) -> None:
    """Else everybody would be sent away, or nobody."""
    with pytest.raises(SettingError, match="DONEYET_KEYS"):
        KeyRing(str(tmp_path / "gone"))
