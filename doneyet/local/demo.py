"""The demonstration: twenty random numbers, polled until all are factorized."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from doneyet.client import Client
from doneyet.client.errors import Answer, ClientError
from doneyet.local.console import say
from doneyet.local.system import System

HOW_MANY = 20
LARGEST = 2**20
ASK_EVERY_S = 1.0


class Display(Protocol):
    """Where the answers of one round show."""

    def show(self, answers: list[Answer]) -> None:
        """Shows a round of answers, in the numbers' order."""


def run_demo(system: System) -> None:
    """Asks for all numbers once a second until all are done, then prints what they are made of.

    Raises:
        PartError: a part of the system has ended.
        ClientError: the system runs, and yet it did not answer.
    """
    numbers = [random.randint(2, LARGEST) for _ in range(HOW_MANY)]
    with Client(system.url) as client, _display() as display:
        answers: list[Answer] = []
        while not answers or not all(answer["done"] for answer in answers):
            if answers:
                time.sleep(ASK_EVERY_S)
            try:
                answers = [client.ask("factorize", number=number) for number in numbers]
            except ClientError:
                system.check()  # says more, if a part of the system is why
                raise
            system.check()
            display.show(answers)


def as_line(answer: Answer) -> str:
    """` 408216 = 2^3 3^1 73^1 233^1`, or ` 408216 = ...` until that is known."""
    if answer.get("error"):
        return f"{answer['number']:7d} : {answer['error']['detail']}"
    return f"{answer['number']:7d} = {answer['factorization_str'] if answer['done'] else '...'}"


class Lines:
    """Plain lines: every round in full, an empty line between two."""

    def __init__(self) -> None:
        self._rounds = 0

    def show(self, answers: list[Answer]) -> None:
        """Prints the round."""
        if self._rounds:
            print()
        self._rounds += 1
        print("\n".join(map(as_line, answers)), flush=True)


class LiveLines:
    """Twenty lines that change in place, and a line that says how it goes."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._rounds = 0

    def show(self, answers: list[Answer]) -> None:
        """Draws the round over the last one."""
        self._rounds += 1
        done = sum(answer["done"] for answer in answers)
        text = Text()
        for answer in answers:
            text.append(as_line(answer) + "\n", style="green" if answer["done"] else "dim")
        if done < len(answers):
            text.append(
                f"polled {self._rounds} times: {done} of {len(answers)} done, "
                f"load {answers[-1]['load']}",
                style="cyan",
            )
        self._live.update(text, refresh=True)


@contextmanager
def _display() -> Iterator[Display]:
    """The display that fits standard output; what it shows last stays."""
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines()
        return
    with Live(console=console, auto_refresh=False) as live:
        yield LiveLines(live)


def demo() -> int:
    """Starts everything, runs the demonstration, stops everything; returns the exit code."""
    with System(processes=2) as system:
        if sys.stderr.isatty():
            say(
                f"POST {system.url}/factorize, for {HOW_MANY} numbers, again every second until "
                "all are done:"
            )
        run_demo(system)
    return 0
