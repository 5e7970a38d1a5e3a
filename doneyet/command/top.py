"""`doneyet top`: how all task types go on, refreshed every second."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from doneyet.command.client_command import OK, client_command
from doneyet.command.rates import Rates, series_of
from doneyet.command.screen import Screen
from doneyet.command.texts import BLOCKS, LETTERS, duration, plain, sparkline, table, write_lines

if TYPE_CHECKING:
    from doneyet.client import Client

EVERY_S = 1.0
HISTORY_MIN = 20

Look = Mapping[str, Any]
"""What one refresh tells: `types`, by name, and those that are `unavailable`."""


class Looker:
    """Asks a server how it is, and knows how it was before."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._done, self._failed = Rates(), Rates()

    def look(self) -> Look:
        """How each type is now."""
        load, history = self._client.load(), self._client.history(HISTORY_MIN)
        at_s, unix_s = time.monotonic(), time.time()
        self._done.see(at_s, unix_s, series_of(history, "done"))
        self._failed.see(at_s, unix_s, series_of(history, "failed"))
        ended = series_of(history, "done", "failed")
        return {
            "at": round(unix_s, 3),
            "types": {
                name: {
                    **{word: one[word] for word in ("waiting", "running", "workers", "paused")},
                    "done_per_s": round(self._done.per_s(name), 3),
                    "failed_per_s": round(self._failed.per_s(name), 3),
                    "oldest_waiting_s": one["oldest_waiting_s"],
                    "ended_by_minute": list(ended.get(name, {}).values()),
                }
                for name, one in load["types"].items()
            },
            "unavailable": load.get("unavailable", []),
        }


@client_command(
    """Shows a row for each task type, refreshed every second; q or Ctrl-C ends it.

Beside what waits and runs: tasks that end a second, how long the oldest one waits, and how many
ended in each of the last 20 minutes. Without a terminal it prints that once."""
)
@click.option("--json", "as_json", is_flag=True, help="print a JSON object a line every second")
@click.option("--once", is_flag=True, help="print it once")
def top(client: Client, *, as_json: bool, once: bool) -> int:
    looker = Looker(client)
    if as_json:
        return _print_lines(looker, once=once)
    if once or not sys.stdout.isatty():
        write_lines(lines_of(looker.look(), _bars()))
        return OK
    return _show_live(looker)


def _print_lines(looker: Looker, *, once: bool) -> int:
    while True:
        write_lines([json.dumps(looker.look())])
        sys.stdout.flush()
        if once:
            return OK
        time.sleep(EVERY_S)


def _show_live(looker: Looker) -> int:
    """Until somebody has seen enough; an outage of the server is shown, and ends nothing."""
    from doneyet.client.errors import ClientError

    lines: list[str] = []
    first = lines_of(looker.look(), _bars())  # what is wrong from the start ends it, with a line
    try:
        with Screen() as screen:
            screen.show(first)
            lines = first
            while not screen.hears("q", EVERY_S):
                try:
                    lines, said = lines_of(looker.look(), _bars()), ""
                except ClientError as error:
                    said = plain(f"{type(error).__name__}: {error}")
                screen.show([*lines, *([said] if said else []), "", "q: quit"])
    except KeyboardInterrupt:
        pass
    return OK


def lines_of(look: Look, bars: str) -> list[str]:
    """A table, those types first in which something goes on."""
    types = sorted(look["types"].items(), key=lambda each: not _is_busy(each[1]))
    rows = [
        (
            name,
            f"{one['waiting']} paused" if one["paused"] else one["waiting"],
            one["running"],
            one["workers"],
            f"{one['done_per_s']:.1f}",
            f"{one['failed_per_s']:.1f}",
            duration(one["oldest_waiting_s"]),
            sparkline(one["ended_by_minute"], bars),
        )
        for name, one in types
    ]
    head = ("TYPE", "WAITING", "RUNNING", "WORKERS", "DONE/S", "FAILED/S", "OLDEST", "20 MINUTES")
    away = [f"Redis does not answer for {name}" for name in look["unavailable"]]
    return [*table(head, rows), *away]


def _is_busy(one: Mapping[str, Any]) -> bool:
    return bool(one["waiting"] or one["running"] or any(one["ended_by_minute"]))


def _bars() -> str:
    """Those that standard output can show."""
    try:
        BLOCKS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return LETTERS
    return BLOCKS
