"""How far a map is: a bar for people, lines for logs, nothing unless asked for."""

from __future__ import annotations

import pytest

from doneyet.client import progress
from doneyet.client.progress import progress_display, total_of
from tests.client.conftest import MakeClient, MakeStub
from tests.client.test_map import all_done, inputs


def test_lines_where_there_is_no_terminal(
    stub: MakeStub, client_of: MakeClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """At least one line, at the end, on standard error."""
    client_of(stub(all_done)).map("double", inputs(3), progress=True)
    out, err = capsys.readouterr()
    assert err.startswith("double: 3 of 3 done, ")
    assert (out, err.count("\n")) == ("", 1)


def test_lines_come_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each update that comes late enough after the last one; failures are counted."""
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with progress_display("double", None, shown=True) as display:
        display.update(1, 0)
        display.update(5, 2)
    lines = [line.split(" done")[0] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["double: 1", "double: 5", "double: 5"]


def test_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bar shows both counts and how many failed."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with progress_display("double", 10, shown=True) as display:
        display.update(10, 3)
    err = capsys.readouterr().err
    assert "10/10" in err
    assert "3 failed" in err


def test_quiet_unless_asked(
    stub: MakeStub, client_of: MakeClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library prints nothing of its own accord."""
    client_of(stub(all_done)).map("double", inputs(3))
    assert capsys.readouterr() == ("", "")


def test_the_total_is_known_where_inputs_have_a_length() -> None:
    """A generator isn't read to count it."""
    assert total_of([1, 2]) == 2
    assert total_of(iter([1, 2])) is None
