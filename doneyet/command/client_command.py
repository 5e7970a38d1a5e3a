"""What commands have in common that ask a server: `--url`, exit codes, what becomes of errors."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from doneyet.command.running import NAMES

OK, FAILED, USAGE, NO_ANSWER, BROKEN_PIPE = 0, 1, 2, 3, 141
DEFAULTS = {"url": "http://localhost:8080", "patience_s": 60.0}

EXIT_CODES = """\
\b
exit codes:
  0    everything asked for was answered
  1    a task failed, or an input or request was refused
  2    the command line was wrong, or a file cannot be read or written
  3    no answer: no server, or not within --timeout-s
  130  interrupted; running it again continues
  141  the reader of the output closed it, as head does
"""


URL = click.option(
    "--url", default=DEFAULTS["url"], help=f"where the server is (default {DEFAULTS['url']})"
)
PATIENCE = click.option(
    "--patience-s",
    type=float,
    default=DEFAULTS["patience_s"],
    metavar="S",
    help="how long to retry while the server cannot be reached (default 60)",
)
TIMEOUT = click.option(
    "--timeout-s", type=float, metavar="S", help="stop waiting after this time (default: never)"
)
EVERY = click.option(
    "--every-s",
    type=click.FloatRange(min=0.1),
    default=5.0,
    metavar="S",
    help="seconds between two looks (default 5)",
)
ONCE = click.option("--once", is_flag=True, help="look once, and end")


def client_command(text: str) -> Callable[[Callable[..., int]], click.Command]:
    """Makes a command of a function that asks: with `--url` and `--patience-s`, and help."""

    def decorate(do: Callable[..., int]) -> click.Command:
        name = do.__name__.strip("_").replace("_", "-")
        settings = dict(NAMES)
        asking = URL(PATIENCE(_asks(do)))
        return click.command(name, help=text, epilog=EXIT_CODES, context_settings=settings)(asking)

    return decorate


def _asks(do: Callable[..., int]) -> Callable[..., int]:
    """`do`, given a client of `--url`; what cannot be answered becomes an exit code and a line."""

    @wraps(do)
    def asking(url: str, patience_s: float, **arguments: Any) -> int:
        from doneyet.client import Client
        from doneyet.client import errors as of

        try:
            client = Client(url, patience_s=patience_s)
        except ValueError as error:
            return fail(USAGE, error)
        with client:
            try:
                return do(client, **arguments)
            except (of.UnavailableError, of.UnexpectedAnswerError, of.NotDoneError) as error:
                return fail(NO_ANSWER, error)
            except (of.TaskFailedError, of.ProblemError) as error:
                return fail(FAILED, error)
            except BrokenPipeError:
                raise
            except (OSError, ValueError) as error:
                return fail(USAGE, error)

    return asking


def print_json(value: Any) -> None:
    """One line for programs, several for people."""
    text = json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write(text + "\n")


def fail(code: int, error: Exception) -> int:
    sys.stderr.write(f"{type(error).__name__}: {error}\n")
    return code
