"""Running a command: its exit code, and shell completion."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import click

from doneyet.cycle_search import end_without_cycle_search

INTERRUPTED = 130
NAMES = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""How every command is asked for help, and how wide it may be."""


class UsageFault(click.ClickException):
    """Raised when what the command line or a setting says cannot be done: one line, exit code 2."""

    exit_code = 2


def run(command: click.Command, argv: Sequence[str] | None, name: str) -> int:
    """Does what `argv` says (None: what this program was started with); the exit code.

    Unlike click's own `main` it leaves closed pipes and Ctrl-C to the commands.
    """
    end_without_cycle_search()
    open_standard_streams()
    keep_no_errors_back()
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:
        sys.stderr.write(f"{name}: the current directory is gone; go to one that exists\n")
        return 2
    if complete := os.environ.get("_DONEYET_COMPLETE"):
        from click.shell_completion import shell_complete

        return shell_complete(command, {}, name, "_DONEYET_COMPLETE", complete)
    try:
        with command.make_context(name, list(sys.argv[1:] if argv is None else argv)) as context:
            return command.invoke(context) or 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code


def open_standard_streams() -> None:
    """Opens those that whoever started this closed, on nothing: else a socket would get their
    numbers, and what is printed would go there."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def keep_no_errors_back() -> None:
    """What this program, and those that it starts, write to stderr is written at once, or lost.

    Where the disk is full, a buffer would keep it, and fail again whenever anything flushes the
    stream; starting a process does.
    """
    os.environ["PYTHONUNBUFFERED"] = "1"
    stream = sys.stderr
    if stream is not sys.__stderr__ or not isinstance(stream, io.TextIOWrapper):
        return  # somebody catches what is written
    raw = open(stream.fileno(), "wb", buffering=0, closefd=False)  # noqa: SIM115
    sys.stderr = io.TextIOWrapper(raw, stream.encoding, stream.errors, write_through=True)
