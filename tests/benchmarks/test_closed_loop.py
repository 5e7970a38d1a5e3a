"""What clients of a closed loop send, when, and what is made of their waits."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest

from benchmarks.clients import closed_loop
from benchmarks.clients.closed_loop import (
    ANSWER,
    SET_SIZE,
    Answered,
    Client,
    Loop,
    Send,
    between,
    drive,
    held,
    polled,
    posting,
    wait_ms,
)
from benchmarks.clients.load import WrongAnswerError
from benchmarks.http_peers.catalog import HTTP_PEERS
from tests.benchmarks.answering import Handler, answering

PENDING, LATE, REFUSED = 2, 3, 5


class SecondTime(Handler):
    """Answers with the number at the second request for it; one number is refused."""

    asked: list[int] = []

    def reply(self, asked: bytes) -> None:
        number = json.loads(asked)["number"]
        self.asked.append(number)
        done = self.asked.count(number) > 1 or self.path == "/held"
        body = b'{"done":%b,"answer":%d}' % (b"true" if done else b"false", number)
        self.answer(body, 503 if number == REFUSED else 200 if done else 202)


@pytest.fixture
def port() -> Iterator[int]:
    """A server's port."""
    SecondTime.asked = []
    with answering(SecondTime) as port:
        yield port


def test_every_client_asks_for_numbers_of_its_own(port: int) -> None:
    """None is asked for twice, and each is answered before the next: all that were asked count."""
    loop = Loop(count(1_000_000_000), 0.2)
    drive(port, [loop.one_by_one(held(posting("/held"), ANSWER)) for _ in range(4)])
    assert len(loop.answered) == len(SecondTime.asked) == len(set(SecondTime.asked)) > 4
    assert all(0 <= each.asked_s < each.at_s for each in loop.answered)


def test_a_client_that_polls_pauses_between(port: int) -> None:
    """Its wait is from the first request to the answer, pauses included."""
    loop = Loop(count(1_000_000_000), 0.001)
    drive(port, [loop.one_by_one(polled(posting("/polled"), 0.1))])
    assert SecondTime.asked == [1_000_000_000] * 2
    assert 100 <= wait_ms(loop.answered, 50) < 1000


def test_other_clients_go_on_while_one_pauses(port: int) -> None:
    """They share a thread, not their pauses."""
    ends: dict[str, float] = {}

    def client(name: str, pause_s: float) -> Client:
        for number in (1_000_000_000, 1_000_000_001):
            yield Send(posting("/held")(number), pause_s)
        ends[name] = time.monotonic()

    drive(port, [client("slow", 0.3), client("quick", 0.0)])
    assert ends["slow"] - ends["quick"] > 0.3


def test_the_seeds_client_asks_for_the_whole_set_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All twenty in turn, a pause, all twenty again; each counts once, from its first request."""
    monkeypatch.setattr(closed_loop, "SET_PAUSE_S", 0.1)
    loop = Loop(count(1_000_000_000), 0.001)
    drive(port, [loop.in_sets(posting("/polled"))])
    numbers = list(range(1_000_000_000, 1_000_000_000 + SET_SIZE))
    assert SecondTime.asked == numbers * 2
    assert len(loop.answered) == SET_SIZE
    assert wait_ms(loop.answered, 1) >= 100


def test_a_set_begins_without_a_pause(port: int) -> None:
    """The seed's client pauses only where something is not done."""
    loop = Loop(count(1_000_000_000), 0.001)
    drive(port, [loop.in_sets(posting("/held"))])
    assert Counter(SecondTime.asked) == Counter(range(1_000_000_000, 1_000_000_000 + SET_SIZE))
    assert wait_ms(loop.answered, 99) < 1000


def test_an_answer_to_another_number_is_none(port: int) -> None:
    """Nor is a refusal: a fast error is no good figure."""
    ask = held(lambda _: posting("/held")(1_000_000_000), ANSWER)
    with pytest.raises(WrongAnswerError, match="not the answer to 7"):
        drive(port, [ask(7)])
    with pytest.raises(WrongAnswerError, match="503"):
        drive(port, [polled(lambda _: _request(REFUSED), 0.0)(REFUSED)])


def _request(number: int) -> bytes:
    body = b'{"number":%d}' % number
    return b"POST /polled HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def test_only_answers_of_the_measured_time_count() -> None:
    """The start belongs to it, the end does not."""
    answered = [Answered(0.0, at) for at in (0.5, 1.0, 1.5, 2.0)]
    assert [each.at_s for each in between(answered, 1.0, 2.0)] == [1.0, 1.5]


def test_waits_are_told_in_milliseconds() -> None:
    """No answer is no wait, rather than a wait of nothing."""
    answered = [Answered(1.0, 1.0 + number / 1000) for number in range(1, 101)]
    assert wait_ms(answered, 50) == pytest.approx(50)
    assert wait_ms(answered, 99) == pytest.approx(99)
    with pytest.raises(WrongAnswerError, match="measure for longer"):
        wait_ms([], 50)


def test_a_task_of_bentoml_is_followed_to_its_result() -> None:
    """Submitted, its status asked for until it is completed, then the result."""
    (peer,) = (each for each in HTTP_PEERS if each.environment == "bentoml")
    client = peer.ask(1_000_000_000)
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    assert b"POST /noop/submit" in next(client).request
    for status in (b"in_progress", b"in_progress"):
        request, pause_s = client.send(head + b'{"task_id":"a1","status":"%b"}' % status)
        assert b"GET /noop/status?task_id=a1 " in request
        assert pause_s > 0
    request, pause_s = client.send(head + b'{"task_id":"a1","status":"completed"}')
    assert (b"GET /noop/get?task_id=a1 " in request, pause_s) == (True, 0)
    with pytest.raises(StopIteration):
        client.send(head + b"1000000000")
