"""Many clients at once, each of which goes on only once it was answered, in one thread.

A client is a generator: it yields what is to be sent, and is sent the answer. So it may wait, poll,
ask at several paths or for several things, and costs about ten microseconds of processor a request.
"""

from __future__ import annotations

import gc
import heapq
import selectors
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple

from benchmarks.clients.load import Connection, WrongAnswerError
from benchmarks.report.figures import percentile

STALLED_S = 60.0
DONE = b'"done":true'
ANSWER = b'"answer":%d'
"""What is in the answer of a no-op task, for its number."""
SET_SIZE = 20
SET_PAUSE_S = 1.0
"""The seed's client asks for twenty numbers, and again each second until all are done."""


class Send(NamedTuple):
    """A request, and how long the client pauses before it."""

    request: bytes
    pause_s: float = 0.0


Client = Generator[Send, bytes, None]
Ask = Callable[[int], Client]
"""Has one number answered: it ends when the answer is there."""


class Answered(NamedTuple):
    """When a number was first asked for and when its answer was there, seconds from the start."""

    asked_s: float
    at_s: float


class Loop:
    """Clients that ask for new numbers until the time is over, and what they saw.

    Args:
        numbers: each is taken once.
        seconds: after which nobody begins anything new.
    """

    def __init__(self, numbers: Iterator[int], seconds: float) -> None:
        self.answered: list[Answered] = []
        self._numbers = numbers
        self._seconds = seconds
        self._began_s = time.perf_counter()

    def one_by_one(self, ask: Ask) -> Client:
        """A client that asks for one number after the other, for one at least."""
        asked_s = self._now_s()
        while True:
            yield from ask(next(self._numbers))
            self._add(asked_s)
            if (asked_s := self._now_s()) >= self._seconds:
                return

    def in_sets(self, request: Callable[[int], bytes]) -> Client:
        """A client that asks as the seed's does: for a set in turn, until all of it is done."""
        is_over = False
        while not is_over:
            asked_s: dict[int, float] = {}
            waiting = set(numbers := list(islice(self._numbers, SET_SIZE)))
            while waiting:
                # The first pass begins at once, each later one after a pause.
                pause_s = SET_PAUSE_S if asked_s else 0.0
                for number in numbers:
                    asked_s.setdefault(number, self._now_s())
                    answer = yield Send(request(number), pause_s)
                    pause_s = 0.0
                    if is_done(answer) and number in waiting:
                        waiting.remove(number)
                        self._add(asked_s[number])
            is_over = self._now_s() >= self._seconds

    def _add(self, asked_s: float) -> None:
        self.answered.append(Answered(asked_s, self._now_s()))

    def _now_s(self) -> float:
        return time.perf_counter() - self._began_s


def new_numbers() -> Iterator[int]:
    """Numbers of one length, none twice."""
    return count(1_000_000_000)


def posting(path: str, *headers: str) -> Callable[[int], bytes]:
    """What makes a request of a number: all are alike but for it, so it costs next to nothing."""
    number = next(new_numbers())
    length = len(b'{"number":%d}' % number)
    head = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *headers,
    ]
    before = "\r\n".join(head).encode() + b'\r\n\r\n{"number":'
    return lambda number: b"%b%d}" % (before, number)


def is_done(answer: bytes) -> bool:
    """Whether it is the finished one.

    Raises:
        WrongAnswerError: it is neither 200 nor 202.
    """
    if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
        raise WrongAnswerError(f"not the expected answer: {answer[:500]!r}")
    return DONE in answer


def held(request: Callable[[int], bytes], expected: bytes) -> Ask:
    """Asks once; the answer comes when it is done. `expected`, with the number in it, is in it."""

    def ask(number: int) -> Client:
        answer = yield Send(request(number))
        is_done(answer)  # raises where it is an error
        if expected.replace(b"%d", b"%d" % number) not in answer:
            raise WrongAnswerError(f"not the answer to {number}: {answer[:500]!r}")

    return ask


def polled(request: Callable[[int], bytes], pause_s: float) -> Ask:
    """Asks until it is done, with a pause between."""

    def ask(number: int) -> Client:
        answer = yield Send(request(number))
        while not is_done(answer):
            answer = yield Send(request(number), pause_s)

    return ask


def drive(port: int, clients: Sequence[Client]) -> None:
    """Has every client asked to its end, each over a connection of its own.

    Raises:
        WrongAnswerError: a server hung up, or no client was answered for a minute.
    """
    connections = [Connection(port) for _ in clients]
    with selectors.DefaultSelector() as selector:
        for connection, client in zip(connections, clients, strict=True):
            selector.register(connection.socket, selectors.EVENT_READ, (connection, client))
        gc.disable()
        try:
            _drive(selector, list(zip(connections, clients, strict=True)))
        finally:
            gc.enable()
            for connection in connections:
                connection.socket.close()


def _drive(
    selector: selectors.BaseSelector, everybody: Sequence[tuple[Connection, Client]]
) -> None:
    due: list[tuple[float, int, Connection, bytes]] = []
    serial = count()
    going = len(everybody)

    def go_on(connection: Connection, client: Client, answer: bytes | None) -> int:
        """How many clients came to their end by it."""
        try:
            request, pause_s = next(client) if answer is None else client.send(answer)
        except StopIteration:
            return 1
        if pause_s:
            at_s = time.perf_counter() + pause_s
            heapq.heappush(due, (at_s, next(serial), connection, request))
        else:
            connection.socket.sendall(request)
        return 0

    for connection, client in everybody:
        going -= go_on(connection, client, None)
    while going:
        timeout_s = max(0.0, due[0][0] - time.perf_counter()) if due else STALLED_S
        ready = selector.select(timeout_s)
        if not ready and not due:
            raise WrongAnswerError(f"no answer to any of {going} clients")
        for key, _ in ready:
            connection, client = key.data
            if (answer := connection.read()) is not None:
                going -= go_on(connection, client, answer)
        while due and due[0][0] <= time.perf_counter():
            _, _, connection, request = heapq.heappop(due)
            connection.socket.sendall(request)


def between(answered: Sequence[Answered], from_s: float, to_s: float) -> list[Answered]:
    """Those whose answer was there from `from_s` on and before `to_s`."""
    return [each for each in answered if from_s <= each.at_s < to_s]


def wait_ms(answered: Sequence[Answered], percent: float) -> float:
    """The percentile of how long they took.

    Raises:
        WrongAnswerError: there is none.
    """
    if not answered:
        raise WrongAnswerError("no answer came while it was measured; measure for longer")
    return percentile([(each.at_s - each.asked_s) * 1000 for each in answered], percent)
