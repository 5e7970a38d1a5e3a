"""The command `doneyet`."""

from __future__ import annotations

import sys

import click

from doneyet.command import asking
from doneyet.command.autoscaling import autoscale
from doneyet.command.checking import check
from doneyet.command.deletion_cost import deletion_cost
from doneyet.command.keys import key
from doneyet.command.programs import server, worker
from doneyet.command.running import NAMES, run
from doneyet.command.serving import serve

_EXIT_CODES = """\b
exit codes:
  0    done, or stopped as told
  1    a task failed, an input was refused, or a program ended
  2    the command line or a setting was wrong, or a file cannot be read or written
  3    no answer: no server, or not within --timeout-s
  130  interrupted
"""


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"doneyet {version('doneyet')}")
        except PackageNotFoundError:
            click.echo("doneyet, from a clone")
        context.exit()


doneyet = click.Group(
    "doneyet",
    commands=[
        serve,
        server,
        worker,
        check,
        key,
        autoscale,
        deletion_cost,
        *asking.COMMANDS.values(),
    ],
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="print the version",
        )
    ],
    help="Puts slow things behind HTTP: POST the input; POST it again until it is done.",
    epilog=_EXIT_CODES,
    context_settings=dict(NAMES),
    no_args_is_help=True,
)


def main() -> int:
    """Does what the command line says; returns the exit code."""
    if {*sys.argv[1:2]} & {*asking.COMMANDS}:
        return asking.in_order(lambda: run(doneyet, None, "doneyet"))
    return run(doneyet, None, "doneyet")
