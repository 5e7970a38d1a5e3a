"""How far a map is: a bar on a terminal, else a line now and then, both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_EVERY_S = 5.0


class Display(Protocol):
    """Where progress shows."""

    def update(self, finished: int, failed: int) -> None:
        """Shows the counts of inputs so far; `failed` ones are finished too."""


class Quiet:
    """Shows nothing."""

    def update(self, finished: int, failed: int) -> None:
        """Nothing to do."""


class Lines:
    """One plain line every `LINE_EVERY_S` seconds, and one at the end."""

    def __init__(self, title: str, total: int | None) -> None:
        self._title, self._total = title, total
        self._began_at = self._said_at = time.monotonic()
        self._counts = (0, 0)

    def update(self, finished: int, failed: int) -> None:
        """Prints a line when the last one is old enough."""
        self._counts = (finished, failed)
        if time.monotonic() - self._said_at >= LINE_EVERY_S:
            self.say()

    def say(self) -> None:
        """Prints a line now."""
        self._said_at = time.monotonic()
        finished, failed = self._counts
        of = f" of {self._total}" if self._total is not None else ""
        bad = f", {failed} failed" if failed else ""
        took_s = self._said_at - self._began_at
        sys.stderr.write(f"{self._title}: {finished}{of} done{bad}, {took_s:.1f} s\n")
        sys.stderr.flush()


class Bar:
    """A live bar with counts and the time that remains."""

    def __init__(self, title: str, total: int | None, bar: Progress) -> None:
        self._bar = bar
        self._row: TaskID = bar.add_task(title, total=total, failed="")

    def update(self, finished: int, failed: int) -> None:
        """Moves the bar."""
        bad = f"[red]{failed} failed" if failed else ""
        self._bar.update(self._row, completed=finished, failed=bad)


@contextmanager
def progress_display(title: str, total: int | None, *, shown: bool) -> Iterator[Display]:
    """The display that fits standard error; `total` is None where it is not known."""
    if not shown:
        yield Quiet()
        return
    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
        )
        with Progress(*columns, console=console) as bar:
            yield Bar(title, total, bar)
        return
    lines = Lines(title, total)
    try:
        yield lines
    finally:
        lines.say()


class TaskBar:
    """How one task goes on: its state, and a bar once it tells how far it is."""

    def __init__(self, title: str, bar: Progress) -> None:
        self._title, self._bar = title, bar
        self._row: TaskID = bar.add_task(title, total=None, state="", message="")

    def show(self, told: Mapping[str, Any]) -> None:
        """Shows a pending answer, or what an event tells."""
        progress = told.get("progress", told if "fraction" in told else None)
        if isinstance(progress, Mapping):
            done = float(progress.get("fraction") or 0)
            message = str(progress.get("message") or "")
            self._bar.update(self._row, total=1.0, completed=done, message=message)
        if "load" in told:
            state = f"{told.get('status', 'waiting')}, load {told['load']}"
            self._bar.update(self._row, state=state)


@contextmanager
def task_display(title: str) -> Iterator[TaskBar | None]:
    """A bar on standard error that goes at the task's end; None where there is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}", markup=False),
        TextColumn("{task.fields[message]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield TaskBar(title, bar)


def total_of(inputs: Iterable[object]) -> int | None:
    """How many inputs there are, where that can be known without reading them."""
    return len(inputs) if isinstance(inputs, Sized) else None
