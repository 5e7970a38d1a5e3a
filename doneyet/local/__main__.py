"""`python -m doneyet.local demo` and `serve`: the whole system on this machine."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from doneyet.local.console import say
from doneyet.local.demo import demo
from doneyet.local.demo_models import demo_models
from doneyet.local.embedded_redis import NoServerError
from doneyet.local.managed_process import PartError
from doneyet.local.serve import serve
from doneyet.settings import LOG_LEVELS, QUEUE_MODES, env_name

INTERRUPTED = 130
MOST_PORT = 65535


def main() -> int:
    """Does what the command line says; returns the exit code."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, _leave)
    # A script's `&` has a shell ignore it, which Python would keep; the other programs do not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # what `nohup` asks for
        signal.signal(signal.SIGHUP, _leave)
    try:
        if arguments.command == "serve":
            return serve(arguments)
        return demo_models() if arguments.command == "demo-models" else demo()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (PartError, NoServerError) as error:
        say(str(error))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m doneyet.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("demo", help="asks for twenty factorizations until all are done")
    commands.add_parser("demo-models", help="asks every endpoint, of models too, once")
    up = commands.add_parser("serve", help="keeps the system up until Ctrl-C", allow_abbrev=False)
    up.add_argument("--port", type=_port, default=8080, help="0: a free one (default 8080)")
    up.add_argument("--processes", type=int, default=2, help="worker processes (default 2)")
    up.add_argument(
        "--redis-url",
        default=os.environ.get(env_name("redis_url")),
        help=f"a Redis or Valkey to use [{env_name('redis_url')}; default: one is started]",
    )
    up.add_argument("--queue-mode", choices=QUEUE_MODES, default="random")
    for queue_mode in QUEUE_MODES[1:]:
        up.add_argument(
            f"--{queue_mode}",
            dest="queue_mode",
            action="store_const",
            const=queue_mode,
            help=f"the same as --queue-mode {queue_mode}",
        )
    up.add_argument("--tasks", default="", help="more modules with task types, comma separated")
    up.add_argument("--models", default="", help="a TOML file that names the models to serve")
    up.add_argument("--storage", default="", help="where batch jobs may read and write")
    up.add_argument("--types", default="", help="task types that the worker serves (default: all)")
    up.add_argument("--lock", default="", help="lock that workers share to take turns on a device")
    up.add_argument("--log-level", choices=LOG_LEVELS, default="warning")
    return parser


def _port(text: str) -> int:
    """The port that a flag names."""
    if not (text.isascii() and text.isdecimal() and int(text) <= MOST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to {MOST_PORT}")
    return int(text)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM and SIGHUP stop everything in order, as Ctrl-C does."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
