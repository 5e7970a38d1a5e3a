"""`doneyet ask`, `map`, `task`, `load` and others: all that `python -m doneyet.client` has."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import click

from doneyet.command.running import INTERRUPTED, NAMES, open_standard_streams, run

if TYPE_CHECKING:
    from doneyet.client import Client
    from doneyet.client.answers import Outcome
    from doneyet.client.errors import Answer
    from doneyet.client.progress import TaskBar

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
EXAMPLES = """\
\b
examples:
  python -m doneyet.client factorize number=408216
  python -m doneyet.client map factorize numbers.jsonl -o answers.jsonl
  python -m doneyet.client load

"""


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m doneyet.client`: does what the command line says; returns the exit code."""
    return in_order(lambda: run(client_group, argv, "python -m doneyet.client"))


def in_order(do: Callable[[], int]) -> int:
    """The exit code of `do`, also where its output is closed, full, or it is interrupted."""
    open_standard_streams()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # leave no half file
    try:
        try:
            return do()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # as by `| head`: whoever reads has enough
        _silence()
        return BROKEN_PIPE
    except OSError as error:  # a full disk behind standard output
        _silence()
        return _fail(USAGE, error)
    except KeyboardInterrupt:
        return INTERRUPTED


def _silence() -> None:
    """Lets Python end without trying again to write what cannot be written."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nothing, stream.fileno())
    os.close(nothing)


def _asks(do: Callable[..., int]) -> Callable[..., int]:
    """`do`, given a client of `--url`; what cannot be answered becomes an exit code and a line."""

    @wraps(do)
    def asking(url: str, patience_s: float, **arguments: Any) -> int:
        from doneyet.client import Client
        from doneyet.client import errors as of

        try:
            client = Client(url, patience_s=patience_s)
        except ValueError as error:
            return _fail(USAGE, error)
        with client:
            try:
                return do(client, **arguments)
            except (of.UnavailableError, of.UnexpectedAnswerError, of.NotDoneError) as error:
                return _fail(NO_ANSWER, error)
            except (of.TaskFailedError, of.ProblemError) as error:
                return _fail(FAILED, error)
            except BrokenPipeError:
                raise
            except (OSError, ValueError) as error:
                return _fail(USAGE, error)

    return asking


class Fields(click.ParamType[Any]):
    """`number=408216` as a dict; the value is JSON where it parses, else text."""

    name = "NAME=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        from doneyet.client.jsonl import parse_json

        if value.startswith("{"):
            try:
                whole: dict[str, Any] = parse_json(value)
            except ValueError as error:
                self.fail(f"not JSON: {error}", param, ctx)
            return whole
        name, equals, text = value.partition("=")
        if not equals or not name:
            self.fail(f"must be NAME=VALUE, not {value!r}", param, ctx)
        try:
            return {name: parse_json(text)}
        except ValueError:
            return {name: text}


ENDPOINT = click.argument("endpoint")
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


def _command(text: str) -> Callable[[Callable[..., int]], click.Command]:
    """Makes a command of a function that asks: with `--url` and `--patience-s`, and help."""

    def decorate(do: Callable[..., int]) -> click.Command:
        name = do.__name__.strip("_")
        settings = dict(NAMES)
        asking = URL(PATIENCE(_asks(do)))
        return click.command(name, help=text, epilog=EXIT_CODES, context_settings=settings)(asking)

    return decorate


@_command("""Submits one input and prints the answer as soon as it is there.

ENDPOINT is where the task type is served, such as factorize. A field's value is JSON, or else
text. Or give the whole input as one word: '{...}'.""")
@ENDPOINT
@click.argument("fields", nargs=-1, type=Fields(), metavar="[NAME=VALUE]...")
@click.option("--no-wait", is_flag=True, help="submit once and print the answer as it is")
@TIMEOUT
def ask(
    client: Client,
    endpoint: str,
    fields: Sequence[Mapping[str, Any]],
    no_wait: bool,
    timeout_s: float | None,
) -> int:
    from doneyet.client.progress import task_display

    whole: dict[str, Any] = {}
    for name, value in (pair for field in fields for pair in field.items()):
        if name in whole:
            raise click.UsageError(f"{name} is given twice; for a list write {name}='[1, 2]'")
        whole[name] = value
    if no_wait:
        answer = client.ask(endpoint, whole)
        _print_json(answer)
        return FAILED if answer.get("error") else OK
    with task_display(endpoint) as bar:
        on_pending = None if bar is None else partial(_show_live, client, bar, timeout_s)
        answer = client.run(endpoint, whole, timeout_s=timeout_s, on_pending=on_pending)
    _print_json(answer)
    return OK


@_command("Answers each line of INPUTS, a file with one JSON input a line; - is standard input.")
@ENDPOINT
@click.argument("inputs")
@click.option(
    "-o",
    "--output",
    default="-",
    help="where the answers go, one a line in the inputs' order; the file appears when it is "
    "complete. An input that has no answer has an object with `error` (default: standard output)",
)
@click.option("-q", "--quiet", is_flag=True, help="show no progress")
@TIMEOUT
def map_(
    client: Client,
    *,
    endpoint: str,
    inputs: str,
    output: str,
    quiet: bool,
    timeout_s: float | None,
) -> int:
    from doneyet.client.errors import ClientError
    from doneyet.client.input_lines import Lines
    from doneyet.client.jsonl import (
        count_lines,
        is_one_file,
        opened_input,
        opened_output,
        read_lines,
    )
    from doneyet.client.progress import progress_display

    if is_one_file(inputs, output):
        raise click.UsageError(f"{output} is the input, too; name another file for the answers")
    failed = 0
    total = count_lines(inputs)
    with (
        opened_input(inputs) as source,
        opened_output(output) as target,
        progress_display(endpoint, total, shown=not quiet) as display,
    ):
        lines = Lines(read_lines(source))
        outcomes = client.outcomes(
            endpoint,
            lines.good(),
            lambda done, bad: display.update(done + lines.broken, bad + lines.broken),
            timeout_s,
            shown=not quiet,
        )
        for number, outcome in lines.merged(outcomes):
            if isinstance(outcome, ClientError):
                failed += 1
                sys.stderr.write(f"{inputs}:{number}: {outcome}\n")
            target.write(json.dumps(_to_json(outcome), ensure_ascii=False) + "\n")
    return FAILED if failed else OK


@_command("Prints a task's status. ID is the task's `id`, as in its answer.")
@click.argument("task_id", metavar="ID")
def task(client: Client, task_id: str) -> int:
    _print_json(client.task(task_id))
    return OK


@_command("Cancels a task, for all clients. ID is the task's `id`, as in its answer.")
@click.argument("task_id", metavar="ID")
def cancel(client: Client, task_id: str) -> int:
    _print_json(client.cancel(task_id))
    return OK


@_command("Prints how many tasks wait and run, of one task type or of all.")
@click.argument("type_name", metavar="[TYPE]", required=False)
def load(client: Client, type_name: str | None) -> int:
    _print_json(client.load(type_name))
    return OK


@_command("Has workers begin no task of a type until it is resumed; prints its load.")
@click.argument("type_name", metavar="TYPE")
def pause(client: Client, type_name: str) -> int:
    _print_json(client.pause(type_name))
    return OK


@_command("Has workers begin tasks of a paused type again; prints its load.")
@click.argument("type_name", metavar="TYPE")
def resume(client: Client, type_name: str) -> int:
    _print_json(client.resume(type_name))
    return OK


COMMANDS: dict[str, click.Command] = {
    str(command.name): command for command in (ask, map_, task, cancel, load, pause, resume)
}


class _AsksByDefault(click.Group):
    """`factorize number=1` is short for `ask factorize number=1`; `/load` is an endpoint."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in COMMANDS else ["ask", *args])


@click.group(
    cls=_AsksByDefault,
    commands=COMMANDS,
    epilog=EXAMPLES + EXIT_CODES,
    context_settings=dict(NAMES),
    no_args_is_help=True,
)
@URL
@PATIENCE
@click.pass_context
def client_group(context: click.Context, /, **common: Any) -> None:
    """Submits to a doneyet server, and polls it. `ask` may be left out."""
    context.default_map = dict.fromkeys(COMMANDS, common)


def _to_json(outcome: Outcome) -> Answer:
    """What `map` writes for one input."""
    from doneyet.client.errors import ClientError, TaskFailedError

    if isinstance(outcome, TaskFailedError):
        return outcome.answer
    if isinstance(outcome, ClientError):
        return {"error": outcome.to_dict()}
    return outcome


def _show_live(client: Client, bar: TaskBar, timeout_s: float | None, answer: Answer) -> None:
    """Shows how a pending task goes on until it has finished, by its events; where there are none,
    as it is now: `Client.run` polls, and calls this again."""
    from doneyet.client.errors import ClientError

    bar.show(answer)
    with suppress(ClientError):
        for event in client.events(answer["id"], timeout_s=timeout_s, patience_s=0):
            bar.show(event.data)


def _print_json(value: Any) -> None:
    """One line for programs, several for people."""
    text = json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write(text + "\n")


def _fail(code: int, error: Exception) -> int:
    sys.stderr.write(f"{type(error).__name__}: {error}\n")
    return code
