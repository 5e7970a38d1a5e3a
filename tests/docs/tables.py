"""Tables in the docs that are made from the code; `python -m tests.docs.tables` writes them anew.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.autoscaling import report
from doneyet.setting_values import env_name, flag_name
from doneyet.settings import BOTH, Settings
from http_server.keys.roles import PERMISSIONS, Role
from http_server.wire.problem import TITLES
from task_manager.redis.keys import Keys
from task_manager.redis.modes.distributed import DistributedManager
from task_manager.redis.modes.ordered import OrderedManager
from task_manager.redis.modes.random import RandomManager
from task_manager.redis.modes.rq import RqManager
from task_manager.synchronous import Synchronous
from task_manager.values import Promises

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)

PROMISES = {
    "uses_redis": "uses Redis or Valkey",
    "ordered": "first come, first served",
    "fair": "no client delays another by more than its share",
    "claims": "doneyet's own worker processes run its tasks",
    "answers_at_once": "the answer comes in the same request",
    "progress": "answers show the progress of running tasks",
    "retries_alone": "a task whose process died is retried in a batch of its own",
    "batches": "waiting inputs run in batches",
    "one_round_trip": "a submit is one round trip to Redis",
    "leases": "tasks of a lost machine run again within `DONEYET_LEASE_S`",
    "stops_runs": "a run that is cancelled or times out is ended, whatever it does",
    "lists_waiting": "waiting tasks can be listed, and all of a type cancelled",
    "one_queue": "turns and limits hold for a type as a whole, unless it is split",
}
"""What each attribute of `Promises` means to whoever chooses."""

STATUSES = {
    "bad-request": "400",
    "not-json": "400",
    "unauthorized": "401",
    "forbidden": "403",
    "foreign-host": "403",
    "foreign-page": "403",
    "not-found": "404",
    "unknown-task": "404",
    "unknown-type": "404",
    "method-not-allowed": "405",
    "already-terminal": "409",
    "cannot-pause": "501",
    "cannot-list": "501",
    "cannot-keep": "501",
    "no-hours": "501",
    "no-webhooks": "501",
    "bad-webhook": "400",
    "too-large": "413",
    "too-slow": "408",
    "unsupported-media-type": "415",
    "invalid-input": "422",
    "rate-limited": "429",
    "client-overloaded": "429",
    "client-keeps-too-many": "429",
    "answers-too-large": "503",
    "internal-error": "500",
    "overloaded": "503",
    "unavailable": "503",
}


def settings() -> str:
    """Every setting."""
    rows = []
    for row in dataclasses.fields(Settings):
        unit = f" {row.metadata['unit']}" if row.metadata["unit"] else ""
        default = f"`{row.default:g}`" if isinstance(row.default, float) else f"`{row.default}`"
        default = "none" if row.default == "" else default + unit
        programs = "both" if row.metadata["programs"] == BOTH else row.metadata["programs"][0]
        choices = row.metadata["choices"]
        text = row.metadata["help"] + (f" ({', '.join(choices)})" if choices else "")
        names = f"`{env_name(row.name)}`", f"`{flag_name(row.name)}`"
        rows.append([*names, default, programs, text])
    return table(["environment", "flag", "default", "program", "meaning"], rows)


def promises() -> str:
    """What each queue mode promises."""
    declared = {
        "random": RandomManager.promises,
        "distributed": DistributedManager.promises,
        "ordered": OrderedManager.promises,
        "rq": RqManager.promises,
        "synchronous": Synchronous.promises,
    }
    rows = [
        [
            PROMISES[row.name],
            f"`{row.name}`",
            *("yes" if getattr(each, row.name) else "no" for each in declared.values()),
        ]
        for row in dataclasses.fields(Promises)
    ]
    return table(["promise", "attribute", *declared], rows)


def problems() -> str:
    """Every problem type."""
    rows = [
        [f"`urn:doneyet:problem:{kind}`", STATUSES[kind], title] for kind, title in TITLES.items()
    ]
    return table(["type", "status", "title"], rows)


def roles() -> str:
    """What each role may do."""
    rows = [
        [
            f"`{each.method} {each.route}`",
            each.meaning,
            *("yes" if role >= each.least else "no" for role in Role),
        ]
        for each in PERMISSIONS
    ]
    return table(["request", "what for", *(f"`{role.word}`" for role in Role)], rows)


def keys() -> str:
    """Every key."""
    rows = []
    made = Keys("doneyet", {"<type>": "<version>"})
    for name in vars(Keys):  # not all that an instance has: until Python 3.11.3 some cannot be read
        if not name.startswith("_") and inspect.ismethod(method := getattr(made, name)):
            places = [f"<{parameter}>" for parameter in inspect.signature(method).parameters]
            shown = [{"<type_name>": "<type>", "<task_id>": "<id>"}.get(p, p) for p in places]
            rows.append([f"`{method(*shown)}`", _text(method)])
    return table(["key", "what it holds"], sorted(rows))


def _text(documented: object) -> str:
    return " ".join((inspect.getdoc(documented) or "").split())


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "promises": promises,
    "problems": problems,
    "roles": roles,
    "keys": keys,
    "simulations": lambda: table(report.HEAD, report.rows()),
}


def renewed(text: str) -> str:
    """`text` with each table as the code has it now."""
    return BLOCK.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], text)


def documents() -> list[Path]:
    """Every document for users and contributors."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


if __name__ == "__main__":
    for path in documents():
        path.write_text(renewed(path.read_text()))
