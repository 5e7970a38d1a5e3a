"""`doneyet tasks` and `doneyet workers`: lists for people, or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from doneyet.command.client_command import OK, client_command
from doneyet.command.texts import between, duration, since, table, write_lines

if TYPE_CHECKING:
    from doneyet.client import Client

STATUSES = ("waiting", "running", "done", "failed", "cancelled")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="print a JSON object a line")


@client_command(
    """Prints tasks, the newest first: what runs, what has ended, and what waits.

With --status waiting those are first whose turn is next."""
)
@click.option("--type", "type_name", metavar="TYPE", help="only tasks of this type")
@click.option("--status", type=click.Choice(STATUSES), help="only those that are so")
@click.option("--id", "prefix", metavar="PREFIX", help="only those whose ids begin so")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, help="how many at most (default 20)"
)
@AS_JSON
def tasks(
    client: Client,
    *,
    type_name: str | None,
    status: str | None,
    prefix: str | None,
    limit: int,
    as_json: bool,
) -> int:
    told = islice(client.tasks(type_name, status=status, id_prefix=prefix), limit)
    if as_json:
        write_lines(map(_as_json, told))
        return OK
    rows = [
        (task["id"], task["type"], task["status"], _when(task), _took(task), _remark(task))
        for task in told
    ]
    head = ("ID", "TYPE", "STATUS", "SINCE", "RAN", "")
    write_lines(table(head, rows))
    return OK


@client_command("Prints worker processes, what each runs, and for how long.")
@AS_JSON
def workers(client: Client, *, as_json: bool) -> int:
    told = client.workers()
    if as_json:
        write_lines(map(_as_json, told))
        return OK
    rows = [
        (each["owner"], each["type"], each["version"], each["running_count"], _longest(each))
        for each in told
    ]
    head = ("WORKER", "TYPE", "VERSION", "RUNNING", "LONGEST")
    write_lines(table(head, rows))
    return OK


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _when(task: Mapping[str, Any]) -> str:
    """Since when it is as it is, UTC."""
    at: str = task["finished_at"] or task["started_at"] or task["submitted_at"] or "-"
    return at.replace("T", " ")


def _took(task: Mapping[str, Any]) -> str:
    started = task["started_at"]
    if task["status"] == "running":
        return duration(since(started))
    return duration(between(started, task["finished_at"]))


def _remark(task: Mapping[str, Any]) -> str:
    """Why it failed, or how far it is."""
    if error := task.get("error"):
        return f"{error['code']}: {error['detail']}"
    if progress := task.get("progress"):
        return f"{progress['fraction']:.0%} {progress['message']}"
    return ""


def _longest(worker: Mapping[str, Any]) -> str:
    """For how long the task runs that runs longest, and which it is."""
    if not worker["running"]:
        return ""
    first = worker["running"][0]
    return f"{duration(since(first['started_at']))} {first['id']}"
