"""`doneyet ask`, `map`, `task`, `load` and others: all that `python -m doneyet.client` has."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from doneyet.command.client_command import (
    BROKEN_PIPE,
    EXIT_CODES,
    FAILED,
    OK,
    PATIENCE,
    TIMEOUT,
    URL,
    USAGE,
    client_command,
    fail,
    print_json,
)
from doneyet.command.listing import tasks, workers
from doneyet.command.running import INTERRUPTED, NAMES, open_standard_streams, run
from doneyet.command.top import top

if TYPE_CHECKING:
    from doneyet.client import Client
    from doneyet.client.answers import Outcome
    from doneyet.client.errors import Answer
    from doneyet.client.progress import TaskBar

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
        return fail(USAGE, error)
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

_KEEPING = (
    click.option(
        "--keep-s", type=float, default=0.0, metavar="S", help="keep the task alive without polls"
    ),
    click.option("--webhook-url", metavar="URL", help="who is told when the task has finished"),
    click.option(
        "--webhook-event",
        "webhook_events",
        multiple=True,
        metavar="EVENT",
        help="what is told: completed (default), started, progress; may be given several times",
    ),
)


def keeping_options(do: Callable[..., int]) -> Callable[..., int]:
    """Gives `do` what is to be kept of each task that it submits, and who is told of it."""
    for option in reversed(_KEEPING):
        do = option(do)
    return do


@client_command("""Submits one input and prints the answer as soon as it is there.

ENDPOINT is where the task type is served, such as factorize. A field's value is JSON, or else
text. Or give the whole input as one word: '{...}'.""")
@ENDPOINT
@click.argument("fields", nargs=-1, type=Fields(), metavar="[NAME=VALUE]...")
@click.option("--no-wait", is_flag=True, help="submit once and print the answer as it is")
@keeping_options
@TIMEOUT
def ask(
    client: Client,
    *,
    endpoint: str,
    fields: Sequence[Mapping[str, Any]],
    no_wait: bool,
    timeout_s: float | None,
    **keeping: Any,
) -> int:
    from doneyet.client.progress import task_display

    whole: dict[str, Any] = {}
    for name, value in (pair for field in fields for pair in field.items()):
        if name in whole:
            raise click.UsageError(f"{name} is given twice; for a list write {name}='[1, 2]'")
        whole[name] = value
    if no_wait:
        answer = client.ask(endpoint, whole, **keeping)
        print_json(answer)
        return FAILED if answer.get("error") else OK
    with task_display(endpoint) as bar:
        on_pending = None if bar is None else partial(_show_live, client, bar, timeout_s)
        answer = client.run(endpoint, whole, timeout_s=timeout_s, on_pending=on_pending, **keeping)
    print_json(answer)
    return OK


@client_command(
    "Answers each line of INPUTS, a file with one JSON input a line; - is standard input."
)
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
@click.option(
    "--no-wait", is_flag=True, help="submit each once, in arrays, and write the answers as they are"
)
@keeping_options
@TIMEOUT
def map_(
    client: Client,
    *,
    endpoint: str,
    inputs: str,
    output: str,
    quiet: bool,
    no_wait: bool,
    timeout_s: float | None,
    **keeping: Any,
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
    from doneyet.client.keeping import keeping_headers
    from doneyet.client.progress import progress_display

    if is_one_file(inputs, output):
        raise click.UsageError(f"{output} is the input, too; name another file for the answers")
    headers = keeping_headers(**keeping)
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
            leave=no_wait,
            keeping=headers,
        )
        for number, outcome in lines.merged(outcomes):
            if isinstance(outcome, ClientError):
                failed += 1
                sys.stderr.write(f"{inputs}:{number}: {outcome}\n")
            target.write(json.dumps(_to_json(outcome), ensure_ascii=False) + "\n")
    return FAILED if failed else OK


@client_command("Prints a task's status. ID is the task's `id`, as in its answer.")
@click.argument("task_id", metavar="ID")
def task(client: Client, task_id: str) -> int:
    print_json(client.task(task_id))
    return OK


@client_command("""Cancels a task, or all waiting tasks of a type, for all clients.

ID is the task's `id`, as in its answer; --type TYPE --waiting instead cancels all of TYPE that
wait, and tells how many were cancelled and how many are left.""")
@click.argument("task_id", metavar="[ID]", required=False)
@click.option("--type", "type_name", metavar="TYPE", help="of which type")
@click.option("--waiting", is_flag=True, help="all that wait of the type")
@click.option("--yes", is_flag=True, help="do not ask on a terminal whether that is meant")
def cancel(
    client: Client, *, task_id: str | None, type_name: str | None, waiting: bool, yes: bool
) -> int:
    if task_id is not None and type_name is None and not waiting:
        print_json(client.cancel(task_id))
        return OK
    if task_id is not None or type_name is None or not waiting:
        raise click.UsageError("say which: cancel ID, or cancel --type TYPE --waiting")
    if sys.stdin.isatty() and not yes:
        count = client.load(type_name)["waiting"]
        question = f"Cancel all waiting tasks of {type_name}, now {count}, for all clients?"
        if not click.confirm(question, err=True):
            return FAILED
    print_json(client.cancel_waiting(type_name))
    return OK


@client_command("Prints how many tasks wait and run, of one task type or of all.")
@click.argument("type_name", metavar="[TYPE]", required=False)
def load(client: Client, type_name: str | None) -> int:
    print_json(client.load(type_name))
    return OK


@client_command("Has workers begin no task of a type until it is resumed; prints its load.")
@click.argument("type_name", metavar="TYPE")
def pause(client: Client, type_name: str) -> int:
    print_json(client.pause(type_name))
    return OK


@client_command("Has workers begin tasks of a paused type again; prints its load.")
@click.argument("type_name", metavar="TYPE")
def resume(client: Client, type_name: str) -> int:
    print_json(client.resume(type_name))
    return OK


_ALL = (ask, map_, task, tasks, cancel, load, workers, top, pause, resume)
COMMANDS: dict[str, click.Command] = {str(command.name): command for command in _ALL}


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
