"""Submitting over HTTP, and what is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.clients.load import Connection, WrongAnswerError, answer_end, answers_per_s, post
from tests.benchmarks.answering import Handler, answering
from tests.helpers import wait_until

BODY = b'{"done":true}'


class Counting(Handler):
    """Answers every POST alike, and counts."""

    asked: list[bytes]

    def reply(self, asked: bytes) -> None:
        self.asked.append(asked)
        self.answer(BODY)


@pytest.fixture
def asked() -> list[bytes]:
    """What the server was asked."""
    return []


@pytest.fixture
def port(asked: list[bytes]) -> Iterator[int]:
    """A server's port. Each server counts by itself: another's last requests may come late."""
    with answering(type("Own", (Counting,), {"asked": asked})) as port:
        yield port


def test_requests_are_sent_in_turn(port: int, asked: list[bytes]) -> None:
    """Every request of the list is asked, and the rate counts answers."""
    requests = [post("/x", {"number": number}) for number in range(3)]
    rate = answers_per_s(port, requests, b'"done":true', 2, 0.3)
    assert set(asked) == {b'{"number":0}', b'{"number":1}', b'{"number":2}'}
    assert 0 < rate <= len(asked) / 0.3


def test_each_request_is_sent_once_where_that_is_asked_for(port: int, asked: list[bytes]) -> None:
    """It ends when the list is through, long before its time is over."""
    requests = [post("/x", {"number": number}) for number in range(20)]
    answers_per_s(port, requests, b'"done":true', 4, 20.0, once=True)
    # The last few are sent, but not waited for.
    wait_until(lambda: len(asked) >= 20, description="all have arrived")
    assert len(asked) == len(set(asked)) == 20


def test_an_answer_that_is_not_the_expected_one_ends_it(port: int) -> None:
    """A fast error is no good figure."""
    with pytest.raises(WrongAnswerError, match="not the expected answer"):
        answers_per_s(port, [post("/x", {})], b"something else", 1, 1.0)


def test_one_connection_asks_one_question_after_the_other(port: int) -> None:
    """As a client does that keeps its connection."""
    asking = Connection(port)
    assert asking.ask(post("/x", {})).endswith(BODY)
    assert asking.ask(post("/x", {})).endswith(BODY)
    asking.socket.close()


@pytest.mark.parametrize("name", [b"content-length", b"Content-Length"])
def test_the_end_of_an_answer_is_known_from_its_head(name: bytes) -> None:
    """However the server writes the header's name."""
    answer = b"HTTP/1.1 200 OK\r\n" + name + b": 13\r\nx: y\r\n\r\n" + BODY
    assert answer_end(answer) == len(answer)
    assert answer_end(answer[:20]) == 0


def test_an_answer_without_a_length_is_refused() -> None:
    """Its end would be guessed."""
    with pytest.raises(WrongAnswerError, match="without a length"):
        answer_end(b"HTTP/1.1 200 OK\r\n\r\n")
