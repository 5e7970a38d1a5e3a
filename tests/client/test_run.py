"""`Client.run` and its neighbours: one input, asked until the answer is there."""

from __future__ import annotations

import threading

import pytest

from doneyet.client import (
    AlreadyTerminalError,
    Client,
    InvalidInputError,
    NotDoneError,
    NotFoundError,
    ProblemError,
    TaskCancelledError,
    TaskFailedError,
    UnavailableError,
    UnexpectedAnswerError,
)
from tests.client.conftest import MakeClient, MakeStub
from tests.client.stub_server import RESET, Asked, Says, done, in_turn, pending, problem
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch


def test_run_gives_the_answer_object(stub: MakeStub, client_of: MakeClient) -> None:
    """The whole answer comes back as the server gave it, from one request that may be held."""
    server = stub(in_turn(Says(200, done(21))))
    assert client_of(server).run("double", number=21) == done(21)
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/double", {"number": 21})
    assert asked.headers["Prefer"] == "wait=20"
    assert asked.headers["Content-Type"] == "application/json"


def test_run_asks_again_until_done(stub: MakeStub, client_of: MakeClient) -> None:
    """A 202 means: ask the same again. `on_pending` sees each answer on the way."""
    waiting = Says(202, pending(21))
    server = stub(in_turn(waiting, waiting, Says(200, done(21))))
    seen: list[str] = []
    client = client_of(server)
    answer = client.run("double", number=21, on_pending=lambda item: seen.append(item["status"]))
    assert answer["double"] == 42
    assert seen == ["waiting", "waiting"]
    assert [asked.body for asked in server.asked] == [{"number": 21}] * 3


def test_run_honours_retry_after(stub: MakeStub, client_of: MakeClient) -> None:
    """It never asks earlier than the server says, and not much later."""
    server = stub(in_turn(Says(202, pending(1), {"Retry-After": "1"}), Says(200, done(1))))
    watch = Stopwatch()
    client_of(server).run("double", number=1)
    assert watch.s >= 1.0
    assert watch.within_s(2.0), watch


def test_a_held_request_has_waited_already(stub: MakeStub, client_of: MakeClient) -> None:
    """The time that a request was held counts towards `Retry-After`."""
    release = threading.Event()
    answers = in_turn(Says(202, pending(1), {"Retry-After": "1"}), Says(200, done(1)))

    def hold(asked: Asked) -> Says:
        release.wait(1.3)
        release.set()
        return answers(asked)

    watch = Stopwatch()
    client_of(stub(hold)).run("double", number=1)
    assert watch.within_s(2.0), watch


@pytest.mark.parametrize(
    "fault",
    [
        RESET,
        Says(429, problem(429, "too fast"), {"Retry-After": "0"}),
        Says(502, "<html>bad gateway</html>"),
        Says(503, problem(503, "Redis is away"), {"Retry-After": "0"}),
        Says(504, "<html>gateway timeout</html>"),
    ],
    ids=["reset", "429", "502", "503", "504"],
)
def test_run_outlives_faults(stub: MakeStub, client_of: MakeClient, fault: Says) -> None:
    """What may work later is asked again."""
    server = stub(in_turn(fault, fault, Says(200, done(21))))
    assert client_of(server).run("double", number=21) == done(21)
    assert len(server.asked) == 3


def test_run_outlives_a_restart(stub: MakeStub, client_of: MakeClient) -> None:
    """A server that goes and comes back on the same port is asked on."""
    server = stub(in_turn(*[Says(202, pending(7))] * 3, Says(200, done(7))))
    client = client_of(server, patience_s=10.0)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(client.run("double", number=7)))
    asking.start()
    wait_until(lambda: server.asked, description="the first request came")
    server.stop()
    assert asking.is_alive()
    server.start()
    asking.join(10)
    assert answers == [done(7)]


def test_patience_ends(stub: MakeStub, client_of: MakeClient) -> None:
    """A server that stays away is an `UnavailableError` that says where and why."""
    server = stub(in_turn(Says(200)))
    server.stop()
    watch = Stopwatch()
    with pytest.raises(UnavailableError, match=rf"127.0.0.1:{server.port}.*refused"):
        client_of(server, patience_s=0.5).run("double", number=1)
    assert watch.within_s(2.0), watch
    server.start()


def test_a_long_retry_after_ends_patience_at_once(stub: MakeStub, client_of: MakeClient) -> None:
    """When the server asks for more time than the client has, waiting is no use."""
    server = stub(in_turn(Says(503, problem(503, "full"), {"Retry-After": "3600"})))
    with pytest.raises(UnavailableError, match="full") as caught:
        client_of(server).run("double", number=1)
    assert caught.value.status == 503
    assert caught.value.retry_after_s == 3600
    assert len(server.asked) == 1


def test_timeout_tells_how_the_task_is(stub: MakeStub, client_of: MakeClient) -> None:
    """`NotDoneError` is a `TimeoutError` and has the last answer."""
    server = stub(in_turn(Says(202, pending(1, status="running"))))
    with pytest.raises(TimeoutError, match=r"still running after 0.3 s") as caught:
        client_of(server).run("double", number=1, timeout_s=0.3)
    assert isinstance(caught.value, NotDoneError)
    assert caught.value.answer == pending(1, status="running")


def test_an_invalid_input_says_the_field(stub: MakeStub, client_of: MakeClient) -> None:
    """The message names the fields; `errors` has their pointers; nothing is asked again."""
    wrong = problem(422, "2 fields are wrong", ("/number", "must be 2 or more"), ("", "odd"))
    server = stub(in_turn(Says(422, wrong)))
    with pytest.raises(InvalidInputError, match=r"^number: must be 2 or more; odd$") as caught:
        client_of(server).run("double", number=1)
    assert [(e.pointer, e.field) for e in caught.value.errors] == [("/number", "number"), ("", "")]
    assert caught.value.problem == wrong
    assert len(server.asked) == 1


def test_a_failed_task_is_an_error(stub: MakeStub, client_of: MakeClient) -> None:
    """Its code and detail are the answer's, which is there as a whole."""
    failed = done(1, status="failed", error={"code": "task-failed", "detail": "no luck"})
    with pytest.raises(TaskFailedError, match=r"^no luck$") as caught:
        client_of(stub(in_turn(Says(200, failed)))).run("double", number=1)
    assert (caught.value.code, caught.value.answer) == ("task-failed", failed)


def test_a_cancelled_task_is_an_error(stub: MakeStub, client_of: MakeClient) -> None:
    """So that nobody takes its empty outputs for an answer."""
    server = stub(in_turn(Says(200, done(1, double=None, status="cancelled"))))
    with pytest.raises(TaskCancelledError, match="cancelled"):
        client_of(server).run("double", number=1)


def test_ask_is_one_request_that_is_not_held(stub: MakeStub, client_of: MakeClient) -> None:
    """Done or not, failed or not, the answer comes as it is; faults are not tried again."""
    failed = done(2, status="failed", error={"code": "task-failed", "detail": "no luck"})
    server = stub(
        in_turn(Says(202, pending(2)), Says(200, failed), Says(503, problem(503, "away")))
    )
    client = client_of(server)
    assert client.ask("double", number=2) == pending(2)
    assert client.ask("double", number=2) == failed
    with pytest.raises(UnavailableError, match="away"):
        client.ask("double", number=2)
    assert len(server.asked) == 3
    assert not any("Prefer" in asked.headers for asked in server.asked)


def test_a_server_without_a_queue_says_no_done(stub: MakeStub, client_of: MakeClient) -> None:
    """What is answered in the same request is done, and so it says for those who look."""
    server = stub(in_turn(Says(200, {"number": 2, "double": 4})))
    client = client_of(server)
    assert client.run("double", number=2) == {"number": 2, "double": 4, "done": True}
    assert client.ask("double", number=2)["done"] is True


def test_fields_may_be_called_like_arguments(stub: MakeStub, client_of: MakeClient) -> None:
    """Given as a mapping, any name is an input field."""
    server = stub(in_turn(Says(200, done(1))))
    client_of(server).run("double", {"endpoint": "x", "timeout_s": 5}, number=1)
    assert server.asked[0].body == {"endpoint": "x", "timeout_s": 5, "number": 1}


@pytest.mark.parametrize(
    ("says", "hint"),
    [
        (Says(200, "<html>welcome</html>"), "200 without JSON"),
        (Says(404, "<html>not here</html>"), "404 without JSON"),
        (Says(301, "", {"Location": "https://elsewhere/"}), "https://elsewhere/"),
        (Says(200, [1, 2]), "not an answer object"),
        (Says(200, {"done": "yes"}), "not an answer object"),
    ],
)
def test_another_server_is_told_apart(
    stub: MakeStub, client_of: MakeClient, says: Says, hint: str
) -> None:
    """What doesn't speak the protocol is an error that says so, not an answer."""
    with pytest.raises(UnexpectedAnswerError, match=hint):
        client_of(stub(in_turn(says))).run("double", number=1)


def test_other_problems_have_classes(stub: MakeStub, client_of: MakeClient) -> None:
    """404, 409 and the rest are told apart by class; none is asked again."""
    kinds = {404: NotFoundError, 409: AlreadyTerminalError, 415: InvalidInputError}
    for status, kind in {**kinds, 500: ProblemError}.items():
        server = stub(in_turn(Says(status, problem(status, "no way"))))
        with pytest.raises(kind, match=r"^no way$"):
            client_of(server).run("double", number=1)
        assert len(server.asked) == 1


def test_tasks_and_load_are_asked_where_they_are(stub: MakeStub, client_of: MakeClient) -> None:
    """`task`, `cancel` and `load` are one request each."""
    cancelled = done(1, status="cancelled")
    load = {"waiting": 3}
    server = stub(in_turn(*[Says(200, cancelled)] * 2, *[Says(200, load)] * 2))
    client = client_of(server)
    assert client.task("id-1") == cancelled
    assert client.cancel("id-1") == cancelled
    assert client.load() == load
    assert client.load("question-answering/roberta") == load
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("GET", "/tasks/id-1"),
        ("DELETE", "/tasks/id-1"),
        ("GET", "/load"),
        ("GET", "/load/question-answering/roberta"),
    ]


def test_what_is_no_json_is_refused_before_it_is_sent(
    stub: MakeStub, client_of: MakeClient
) -> None:
    """`NaN` would be refused by the server with less to go by."""
    server = stub(in_turn(Says(200, done(1))))
    with pytest.raises(ValueError, match="JSON compliant"):
        client_of(server).run("double", number=float("nan"))
    assert server.asked == []


def test_a_url_needs_a_scheme() -> None:
    """`localhost:8080` alone is a mistake that is told at once."""
    with pytest.raises(ValueError, match=r"http:// or https://, not 'localhost:8080'"):
        Client("localhost:8080")


def test_threads_may_share_a_client(stub: MakeStub, client_of: MakeClient) -> None:
    """Each thread gets its own answers."""
    client = client_of(stub(lambda asked: Says(200, done(asked.body["number"]))))
    answers: dict[int, int] = {}

    def ask(number: int) -> None:
        for _ in range(10):
            answers[number] = client.run("double", number=number)["double"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == {number: 2 * number for number in range(8)}
