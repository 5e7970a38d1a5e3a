"""What the command line may say."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from doneyet.client.client import DEFAULT_URL
from doneyet.client.jsonl import parse_json

DEFAULTS = {"url": DEFAULT_URL, "patience_s": 60.0}

COMMANDS = ("run", "map", "task", "cancel", "load")

EPILOG = """\
examples:
  python -m doneyet.client factorize number=408216
  python -m doneyet.client map factorize numbers.jsonl -o answers.jsonl
  python -m doneyet.client load

exit codes:
  0    everything asked for was answered
  1    a task failed, or an input or request was refused
  2    the command line was wrong, or a file cannot be read or written
  3    no answer: no server, or not within --timeout-s
  130  interrupted; asking again goes on where this left off
  141  whoever reads the output has enough, as with: | head
"""


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `do` is the command. Exits with 2 where it is wrong."""
    given, rest = _common_options(DEFAULTS).parse_known_args(argv)
    return _parser().parse_args(_with_command(rest), namespace=given)


def _common_options(defaults: Mapping[str, Any]) -> argparse.ArgumentParser:
    """Options that may stand anywhere on the command line.

    They are read first; the parsers of commands know them for their `--help` only, without
    `defaults`, which would hide what was read.
    """
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument(
        "--url",
        default=defaults.get("url", argparse.SUPPRESS),
        help=f"where the server is (default {DEFAULT_URL})",
    )
    common.add_argument(
        "--patience-s",
        type=float,
        default=defaults.get("patience_s", argparse.SUPPRESS),
        metavar="S",
        help="how long to try again while the server cannot be reached (default 60)",
    )
    return common


def _parser() -> argparse.ArgumentParser:
    common = _common_options({})
    parser = argparse.ArgumentParser(
        prog="python -m doneyet.client",
        description="Asks a doneyet server until the answer is there.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run = commands.add_parser(
        "run", help="one answer; the word itself may be left out", parents=[common]
    )
    run.add_argument("endpoint", help="where the task type is asked, as in: factorize")
    run.add_argument(
        "fields",
        nargs="*",
        metavar="NAME=VALUE",
        type=_field,
        help="an input field; the value is JSON, or else text. Or the whole input: '{...}'",
    )
    run.add_argument("--no-wait", action="store_true", help="ask once and print how the task is")
    _timeout_option(run)
    run.set_defaults(do="run")

    many = commands.add_parser(
        "map", help="an answer for each line of a file of JSON inputs", parents=[common]
    )
    many.add_argument("endpoint", help="where the task type is asked, as in: factorize")
    many.add_argument("inputs", help="a file with one JSON input a line; - for standard input")
    many.add_argument(
        "-o",
        "--output",
        default="-",
        help="where the answers go, one a line in the inputs' order; the file appears when it is "
        "complete. An input that has no answer has an object with `error` (default: - for "
        "standard output)",
    )
    many.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    _timeout_option(many)
    many.set_defaults(do="map")

    for name, text in (("task", "how a task is"), ("cancel", "cancels a task")):
        command = commands.add_parser(name, help=text, parents=[common])
        command.add_argument("id", help="the task's `id`, as in its answer")
        command.set_defaults(do=name)
    load = commands.add_parser("load", help="how many tasks wait and run", parents=[common])
    load.add_argument("type", nargs="?", help="one task type; all if left out")
    load.set_defaults(do="load")
    return parser


def _timeout_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout-s", type=float, metavar="S", help="stop waiting after this time (default: never)"
    )


def _with_command(argv: Sequence[str]) -> list[str]:
    """`factorize number=1` is short for `run factorize number=1`; `/load` is an endpoint."""
    if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
        return ["run", *argv]
    return list(argv)


def _field(text: str) -> dict[str, Any]:
    """`number=408216` as a dict; the value is JSON where it parses, else text."""
    if text.startswith("{"):
        try:
            whole: dict[str, Any] = parse_json(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
        return whole
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")
    try:
        return {name: parse_json(value)}
    except ValueError:
        return {name: value}
