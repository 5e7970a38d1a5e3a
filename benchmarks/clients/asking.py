"""Many clients at once that each ask again when answered, and when each answer came."""

from __future__ import annotations

import gc
import math
import selectors
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.clients.load import Connection, WrongAnswerError

STALLED_S = 60.0
LONGEST_WARM_UP_S = 20.0


class Question(NamedTuple):
    """A request, and how many texts it asks for."""

    request: bytes
    texts: int


class Answered(NamedTuple):
    """When a question was sent and answered, seconds from the first one, and its texts."""

    sent_s: float
    at_s: float
    texts: int


def ask(
    port: int,
    questions: Iterator[Question],
    expected: bytes,
    connections: int,
    warm_up_s: float,
    seconds: float,
) -> list[Answered]:
    """What was answered in `seconds` of full work, in the order of time.

    Each of `connections` asks one question after the other. They all begin at once, so the first
    answers come sooner than any later ones will, and on a slow server for long: the work is full
    when each connection has had an answer, after `warm_up_s` at the earliest. A server that is not
    fair may leave some without one; after `LONGEST_WARM_UP_S` it counts as it is. In the end each
    waits for its answer, so that nothing of this is left to disturb what is measured next.

    Raises:
        WrongAnswerError: an answer is not 200, or `expected` is not in it once for each text.
    """
    asking = [Connection(port) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        for each in asking:
            selector.register(each.socket, selectors.EVENT_READ, each)
        gc.disable()
        try:
            return _ask(selector, asking, questions, expected, warm_up_s, seconds)
        finally:
            gc.enable()
            for each in asking:
                each.socket.close()


def _ask(
    selector: selectors.BaseSelector,
    asking: Sequence[Connection],
    questions: Iterator[Question],
    expected: bytes,
    warm_up_s: float,
    seconds: float,
) -> list[Answered]:
    answered: list[Answered] = []
    waiting: dict[Connection, tuple[float, int]] = {}
    never_answered = set(asking)
    from_s = math.inf
    began_s = time.perf_counter()

    def send(connection: Connection) -> None:
        question = next(questions)
        waiting[connection] = time.perf_counter() - began_s, question.texts
        connection.socket.sendall(question.request)

    for each in asking:
        send(each)
    while waiting:
        ready = selector.select(STALLED_S)
        if not ready:
            raise WrongAnswerError(f"no answer to any of {len(waiting)} requests")
        for key, _ in ready:
            answer = key.data.read()
            if answer is None:
                continue
            sent_s, texts = waiting.pop(key.data)
            if not answer.startswith(b"HTTP/1.1 200") or answer.count(expected) != texts:
                raise WrongAnswerError(f"not the expected answer: {answer[:500]!r}")
            at_s = time.perf_counter() - began_s
            if from_s <= at_s < from_s + seconds:
                answered.append(Answered(sent_s, at_s, texts))
            never_answered.discard(key.data)
            warm = at_s >= (LONGEST_WARM_UP_S if never_answered else warm_up_s)
            from_s = min(from_s, at_s if warm else math.inf)
            if at_s < from_s + seconds:
                send(key.data)
    return answered


def texts_per_s(answered: Sequence[Answered], connections: int) -> float:
    """The rate that all connections had together, by Little's law: those at work by the mean wait.

    Each connection always waits for an answer, so the waits add up to the time of all connections.
    Answers come in bursts, a batch at once; counting them between two moments would depend on which
    side of a burst these fall.

    Raises:
        WrongAnswerError: there was no answer in time.
    """
    if not answered:
        raise WrongAnswerError("no answer came while it was measured; measure for longer")
    waited_s = sum(each.at_s - each.sent_s for each in answered)
    return connections * sum(each.texts for each in answered) / waited_s


def waits_ms(answered: Sequence[Answered]) -> list[float]:
    """How long each answer took, milliseconds."""
    return [(each.at_s - each.sent_s) * 1000 for each in answered]
