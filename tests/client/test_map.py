"""`Client.map` and `Client.imap`: many inputs, of which only unfinished ones are repeated."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from doneyet.client import (
    InvalidInputError,
    NotDoneError,
    NotFoundError,
    SomeFailedError,
    TaskFailedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from doneyet.client.bulk import MOST_INPUTS, READ_AHEAD, READ_FOR_S, WINDOW
from doneyet.client.errors import ClientError
from tests.client.conftest import MakeClient, MakeStub
from tests.client.stub_server import RESET, Asked, Says, done, in_turn, pending, problem
from tests.helpers import wait_until


def inputs(count: int) -> list[dict[str, int]]:
    return [{"number": number} for number in range(count)]


def all_done(asked: Asked) -> Says:
    return Says(200, [done(item["number"]) for item in asked.body])


def test_answers_come_in_the_order_of_the_inputs(stub: MakeStub, client_of: MakeClient) -> None:
    """2,500 inputs are three requests, the last one held."""
    server = stub(all_done)
    answers = client_of(server).map("double", inputs(2500))
    assert answers == [done(number) for number in range(2500)]
    assert [len(asked.body) for asked in server.asked] == [MOST_INPUTS, MOST_INPUTS, 500]
    assert [asked.headers.get("Prefer") for asked in server.asked] == [None, None, "wait=1"]


def test_no_inputs_are_no_request(stub: MakeStub, client_of: MakeClient) -> None:
    """Nothing asked, nothing answered."""
    server = stub(all_done)
    assert client_of(server).map("double", []) == []
    assert server.asked == []


def test_only_unfinished_inputs_are_asked_again(stub: MakeStub, client_of: MakeClient) -> None:
    """What is answered leaves the array."""
    first = Says(202, [done(0), pending(1), done(2), pending(3)])
    second = Says(202, [pending(1), done(3)])
    server = stub(in_turn(first, second, Says(200, [done(1)])))
    answers = client_of(server).map("double", inputs(4))
    assert answers == [done(number) for number in range(4)]
    asked = [[item["number"] for item in one.body] for one in server.asked]
    assert asked == [[0, 1, 2, 3], [1, 3], [1]]


def test_holding_gets_longer_while_nothing_happens(stub: MakeStub, client_of: MakeClient) -> None:
    """Slow tasks cost few requests."""
    nothing = Says(202, [pending(0)], {"Retry-After": "0"})
    server = stub(in_turn(nothing, nothing, nothing, Says(200, [done(0)])))
    client_of(server, wait_s=3.0).map("double", inputs(1))
    waits = [asked.headers["Prefer"] for asked in server.asked]
    assert waits == ["wait=1", "wait=2", "wait=3", "wait=3"]


def three_with_failures(asked: Asked) -> Says:
    failed = done(1, status="failed", error={"code": "task-failed", "detail": "no luck"})
    return Says(200, [done(0), failed, problem(422, "wrong", ("/number", "must be less"))])


def test_errors_are_raised_when_all_is_answered(stub: MakeStub, client_of: MakeClient) -> None:
    """The exception has what every input came to, and says where the first one failed."""
    with pytest.raises(SomeFailedError, match=r"2 of 3 .* index 1: TaskFailedError: no") as caught:
        client_of(stub(three_with_failures)).map("double", inputs(3))
    assert caught.value.answers[0] == done(0)
    assert {i: type(error) for i, error in caught.value.errors.items()} == {
        1: TaskFailedError,
        2: InvalidInputError,
    }
    assert str(caught.value.errors[2]) == "number: must be less"


def test_errors_can_stand_at_their_index(stub: MakeStub, client_of: MakeClient) -> None:
    """With `errors="return"` one bad input is no exception."""
    first, second, third = client_of(stub(three_with_failures)).map(
        "double", inputs(3), errors="return"
    )
    assert first == done(0)
    assert isinstance(second, TaskFailedError)
    assert isinstance(third, InvalidInputError)


def test_imap_raises_an_error_in_its_turn(stub: MakeStub, client_of: MakeClient) -> None:
    """What comes before the failed input is there to be used."""
    answers = client_of(stub(three_with_failures)).imap("double", inputs(3))
    assert next(answers) == done(0)
    with pytest.raises(TaskFailedError, match="no luck"):
        next(answers)


def test_errors_is_one_of_two_words(stub: MakeStub, client_of: MakeClient) -> None:
    """A typing error is told at once."""
    answers: Iterator[Any] = client_of(stub(all_done)).imap(
        "double",
        inputs(1),
        errors="ignore",  # type: ignore[arg-type]
    )
    with pytest.raises(ValueError, match="'raise' or 'return', not 'ignore'"):
        next(answers)


def test_an_input_without_room_is_asked_again(stub: MakeStub, client_of: MakeClient) -> None:
    """A 503 in the array means later, not never."""
    full = Says(202, [done(0), problem(503, "full")])
    server = stub(in_turn(full, Says(202, [problem(503, "full")]), Says(200, [done(1)])))
    assert client_of(server).map("double", inputs(2)) == [done(0), done(1)]


def test_an_input_without_room_for_too_long_fails_alone(
    stub: MakeStub, client_of: MakeClient
) -> None:
    """When nothing else happens for the client's patience, it is given up; others go on."""
    full = Says(202, [problem(503, "full"), pending(1)])
    left = stub(lambda asked: full if len(asked.body) == 2 else Says(200, [done(1)]))
    first, second = client_of(left, patience_s=0.3).map("double", inputs(2), errors="return")
    assert isinstance(first, UnavailableError)
    assert second == done(1)


@pytest.mark.parametrize("status", [400, 413])
def test_a_refused_array_is_halved(stub: MakeStub, client_of: MakeClient, status: int) -> None:
    """The guilty input is found and refused alone; the others are answered."""

    def refuse_7(asked: Asked) -> Says:
        if any(item["number"] == 7 for item in asked.body):
            return Says(status, problem(status, "not this one"))
        return all_done(asked)

    answers = client_of(stub(refuse_7)).map("double", inputs(20), errors="return")
    assert [i for i, item in enumerate(answers) if isinstance(item, ClientError)] == [7]
    assert isinstance(answers[7], InvalidInputError)
    assert answers[:7] + answers[8:] == [done(number) for number in range(20) if number != 7]


def test_large_inputs_travel_in_several_requests(stub: MakeStub, client_of: MakeClient) -> None:
    """An array never grows beyond what a server takes, however few inputs that is."""
    server = stub(all_done)
    big = [{"number": number, "text": "x" * 1_500_000} for number in range(5)]
    assert len(client_of(server).map("double", big)) == 5
    assert [len(asked.body) for asked in server.asked] == [2, 2, 1]


def test_a_missing_endpoint_ends_the_map(stub: MakeStub, client_of: MakeClient) -> None:
    """What no input could change is raised once."""
    server = stub(in_turn(Says(404, problem(404, "no such endpoint"))))
    with pytest.raises(NotFoundError, match="no such endpoint"):
        client_of(server).map("dubble", inputs(3))
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [{"done": True}, [], [1, 2], [{"done": "yes"}] * 2])
def test_another_server_is_told_apart(stub: MakeStub, client_of: MakeClient, body: Any) -> None:
    """An array is answered by an array of answer objects, or it is not doneyet."""
    with pytest.raises(UnexpectedAnswerError):
        client_of(stub(in_turn(Says(200, body)))).map("double", inputs(2))


def test_a_deadline_leaves_the_rest_unanswered(stub: MakeStub, client_of: MakeClient) -> None:
    """`NotDoneError` stands where no answer came in time, with the last thing known."""
    server = stub(
        lambda asked: Says(
            202, [done(0) if item["number"] == 0 else pending(1) for item in asked.body]
        )
    )
    first, second = client_of(server).map("double", inputs(2), errors="return", timeout_s=0.5)
    assert first == done(0)
    assert isinstance(second, NotDoneError)
    assert second.answer == pending(1)


def test_inputs_are_read_as_they_are_needed(stub: MakeStub, client_of: MakeClient) -> None:
    """An endless source of inputs works, since only a window of it is read ahead."""
    read = 0

    def endless() -> Iterator[dict[str, int]]:
        nonlocal read
        while True:
            yield {"number": read}
            read += 1

    answers = client_of(stub(all_done)).imap("double", endless())
    assert [next(answers)["double"] for _ in range(3)] == [0, 2, 4]  # type: ignore[index]
    assert read <= WINDOW


def test_a_slow_first_input_does_not_fill_the_memory(stub: MakeStub, client_of: MakeClient) -> None:
    """Later answers are kept until their turn, but only so many."""
    most = 0

    def all_but_first(asked: Asked) -> Says:
        nonlocal most
        most = max(most, *(item["number"] for item in asked.body))
        if len(asked.body) == 1:
            return Says(200, [done(0)])
        return Says(202, [done(i["number"]) if i["number"] else pending(0) for i in asked.body])

    answers = client_of(stub(all_but_first)).imap("double", inputs(2 * READ_AHEAD))
    assert next(answers) == done(0)
    assert most < READ_AHEAD + WINDOW


def test_a_slow_source_is_answered_as_it_goes(stub: MakeStub, client_of: MakeClient) -> None:
    """Not when it has ended, or thousands of inputs have come."""
    given = 0

    def slowly() -> Iterator[dict[str, int]]:
        nonlocal given
        for number in range(8):
            time.sleep(READ_FOR_S / 2)
            given += 1
            yield {"number": number}

    answers = client_of(stub(all_done)).imap("double", slowly())
    assert next(answers) == done(0)
    assert given < 8
    assert list(answers) == [done(number) for number in range(1, 8)]


def test_map_outlives_faults_and_a_restart(stub: MakeStub, client_of: MakeClient) -> None:
    """Resets, 503s and a server that is gone for a while change nothing in the answers."""
    healthy = threading.Event()
    faults = in_turn(RESET, Says(503, problem(503, "Redis is away"), {"Retry-After": "0"}))

    def decide(asked: Asked) -> Says:
        return all_done(asked) if healthy.is_set() else faults(asked)

    server = stub(decide)
    client = client_of(server, patience_s=10.0)
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.extend(client.map("double", inputs(1500))))
    asking.start()
    wait_until(lambda: len(server.asked) >= 3, description="faults were met")
    server.stop()
    healthy.set()
    server.start()
    asking.join(10)
    assert answers == [done(number) for number in range(1500)]


def test_a_server_without_a_queue_is_mapped_too(stub: MakeStub, client_of: MakeClient) -> None:
    """It answers every item at once, without `done`; problems are told apart by their status."""
    items = [{"number": 2, "double": 4}, problem(422, "wrong")]
    answers = client_of(stub(in_turn(Says(200, items)))).map("double", inputs(2), errors="return")
    assert answers[0] == {"number": 2, "double": 4, "done": True}
    assert isinstance(answers[1], InvalidInputError)


def test_an_input_that_is_no_json_stops_the_map(stub: MakeStub, client_of: MakeClient) -> None:
    """It is the caller's mistake, told as Python's own error."""
    with pytest.raises(TypeError, match="not JSON serializable"):
        client_of(stub(all_done)).map("double", [{"number": {1}}])
