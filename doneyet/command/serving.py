"""`doneyet serve`: everything on this machine. `python -m doneyet.local` has the demos, too."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from doneyet.command.running import NAMES, UsageFault, run
from doneyet.command.setting_options import Given, given, setting_options
from doneyet.setting_values import SettingError, env_name
from doneyet.settings import BOTH, Settings

DEFAULTS = {"processes": "2", "log_level": "warning", "grace_s": "10"}
"""Where they differ from those of the programs."""

_HELP = """Runs everything on this machine: a Redis of its own, a server and a worker.

FILES are what is served: files with task types (iris.py), a models table (models.toml), modules,
or the built-in factorization and regression. Where nothing is named, these two."""


@click.pass_context
def _serve(context: click.Context, files: Sequence[str]) -> int:
    flags = given(context)
    name_served(flags, files)
    for name, text in DEFAULTS.items():
        if not os.environ.get(env_name(name)):
            flags.setdefault(name, text)
    try:
        settings = Settings.from_flags(flags)
    except SettingError as error:
        raise UsageFault(str(error)) from error
    if settings.port > 65535:
        raise UsageFault(f"--port must be from 0 to 65535, not {settings.port}")
    own_redis = "redis_url" not in flags and not os.environ.get(env_name("redis_url"))
    from doneyet.local.serve import serve

    return _local(lambda: serve(settings, own_redis=own_redis, command=_command_to_ask()))


def name_served(flags: Given, files: Sequence[str]) -> None:
    """Writes into `flags` that `files` are served.

    Raises:
        UsageFault: they name two models tables.
    """
    tables = [name for name in files if name.endswith(".toml")]
    if len({*tables, *filter(None, [flags.get("models", "")])}) > 1:
        raise UsageFault(f"one models table can be served, not {' and '.join(tables)}")
    tasks = [*filter(None, [flags.get("tasks", "")]), *(n for n in files if n not in tables)]
    if tasks:
        flags["tasks"] = ",".join(tasks)
    if tables:
        flags["models"] = tables[0]


serve = click.Command(
    "serve",
    params=[
        click.Argument(["files"], nargs=-1, metavar="[FILES]..."),
        *setting_options(BOTH, leave_out=("host",)),
    ],
    callback=_serve,
    help=_HELP,
    context_settings=dict(NAMES),
)


@click.command("demo")
def _demo() -> int:
    """Polls twenty factorizations until all are done."""
    from doneyet.local.demo import demo

    return _local(demo)


@click.command("demo-models")
def _demo_models() -> int:
    """Submits to every endpoint once, also those of models."""
    from doneyet.local.demo_models import demo_models

    return _local(demo_models)


local_group = click.Group(
    "local",
    commands=[serve, _demo, _demo_models],
    help="The whole system on this machine.",
    context_settings=dict(NAMES),
)


def main() -> int:
    """`python -m doneyet.local`."""
    return run(local_group, None, "python -m doneyet.local")


def _local(do: Callable[[], int]) -> int:
    """The exit code of `do`, which signals stop in order."""
    from doneyet.local.stopping import stopped_in_order

    return stopped_in_order(do)


def _command_to_ask() -> str:
    """How a user who started this program starts `doneyet ask`."""
    installed = Path(sys.argv[0]).name == "doneyet"
    return "doneyet ask" if installed else "python -m doneyet ask"
