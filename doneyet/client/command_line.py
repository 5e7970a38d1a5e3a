"""The command line, `python -m doneyet.client`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from rich.console import Console
from rich.status import Status

from doneyet.client.answers import Outcome
from doneyet.client.client import Client
from doneyet.client.errors import (
    Answer,
    ClientError,
    NotDoneError,
    ProblemError,
    TaskFailedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from doneyet.client.input_lines import Lines
from doneyet.client.jsonl import count_lines, opened_input, opened_output, read_lines
from doneyet.client.options import parsed
from doneyet.client.progress import progress_display

OK, FAILED, USAGE, NO_ANSWER, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Does what the command line says; returns the exit code."""
    try:
        try:
            return _done(argv)
        finally:
            if sys.stdout is not None:  # it is where a shell closed it
                sys.stdout.flush()
    except BrokenPipeError:  # as by `| head`: whoever reads has enough
        _silence()
        return BROKEN_PIPE
    except OSError as error:  # a full disk behind standard output
        _silence()
        return _fail(USAGE, error)
    except KeyboardInterrupt:
        return INTERRUPTED


def _done(argv: Sequence[str] | None) -> int:
    arguments = parsed(argv)
    try:
        client = Client(arguments.url, patience_s=arguments.patience_s)
    except ValueError as error:
        return _fail(USAGE, error)
    with client:
        try:
            return COMMANDS[arguments.do](client, arguments)
        except (UnavailableError, UnexpectedAnswerError, NotDoneError) as error:
            return _fail(NO_ANSWER, error)
        except (TaskFailedError, ProblemError) as error:
            return _fail(FAILED, error)
        except BrokenPipeError:
            raise
        except (OSError, UnicodeError) as error:
            return _fail(USAGE, error)


def _silence() -> None:
    """Lets Python end without trying again to write what cannot be written."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nothing, stream.fileno())
    os.close(nothing)


def _run(client: Client, arguments: argparse.Namespace) -> int:
    fields: dict[str, Any] = {}
    for field in arguments.fields:
        fields.update(field)
    if arguments.no_wait:
        answer = client.ask(arguments.endpoint, fields)
        _print_json(answer)
        return FAILED if answer.get("error") else OK
    console = Console(stderr=True)
    waiting = console.status("asking ...") if console.is_terminal else nullcontext()
    with waiting as status:
        answer = client.run(
            arguments.endpoint,
            fields,
            timeout_s=arguments.timeout_s,
            on_pending=None if status is None else partial(_show_pending, status),
        )
    _print_json(answer)
    return OK


def _map(client: Client, arguments: argparse.Namespace) -> int:
    failed = 0
    total = count_lines(arguments.inputs)
    with (
        opened_input(arguments.inputs) as source,
        opened_output(arguments.output) as output,
        progress_display(arguments.endpoint, total, shown=not arguments.quiet) as display,
    ):
        lines = Lines(read_lines(source))
        outcomes = client.outcomes(
            arguments.endpoint,
            lines.good(),
            lambda done, bad: display.update(done + lines.broken, bad + lines.broken),
            arguments.timeout_s,
            shown=not arguments.quiet,
        )
        for number, outcome in lines.merged(outcomes):
            if isinstance(outcome, ClientError):
                failed += 1
                print(f"{arguments.inputs}:{number}: {outcome}", file=sys.stderr)
            output.write(json.dumps(_to_json(outcome), ensure_ascii=False) + "\n")
    return FAILED if failed else OK


def _task(client: Client, arguments: argparse.Namespace) -> int:
    _print_json(client.task(arguments.id))
    return OK


def _cancel(client: Client, arguments: argparse.Namespace) -> int:
    _print_json(client.cancel(arguments.id))
    return OK


def _load(client: Client, arguments: argparse.Namespace) -> int:
    _print_json(client.load(arguments.type))
    return OK


def _to_json(outcome: Outcome) -> Answer:
    """What `map` writes for one input."""
    if isinstance(outcome, TaskFailedError):
        return outcome.answer
    if isinstance(outcome, ClientError):
        return {"error": outcome.to_dict()}
    return outcome


def _show_pending(status: Status, answer: Answer) -> None:
    fraction, message = 0.0, ""
    if isinstance(answer.get("progress"), dict):
        fraction = float(answer["progress"].get("fraction") or 0)
        message = str(answer["progress"].get("message") or "")
    done = f", {fraction:.0%} {message}" if fraction or message else ""
    status.update(f"{answer.get('status', 'waiting')}, load {answer.get('load', '?')}{done} ...")


def _print_json(value: Any) -> None:
    """One line for programs, several for people."""
    print(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


COMMANDS = {"run": _run, "map": _map, "task": _task, "cancel": _cancel, "load": _load}


def _fail(code: int, error: Exception) -> int:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return code
