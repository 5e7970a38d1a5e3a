"""The client against the real system: an HTTP server, a worker, a Redis."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import pytest

from doneyet.client import Client, InvalidInputError, NotFoundError
from doneyet.command.asking import main
from doneyet.local.system import System
from tests.helpers import wait_until


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System(processes=2) as running:
        yield running


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    with Client(system.url) as asking:
        yield asking


def is_right(answer: Any) -> bool:
    product: int = prod(prime**exponent for prime, exponent in answer["factorization"])
    return product == int(answer["number"])


def test_one_input_is_answered(client: Client) -> None:
    """As in the seed: the factors, and the same as text."""
    answer = client.run("factorize", number=408216, timeout_s=20)
    assert answer["factorization_str"] == "2^3 3^1 73^1 233^1"
    assert client.task(answer["id"])["status"] == "done"
    assert client.load()["load"] == 0


def test_thousands_are_answered_in_order(client: Client) -> None:
    """Three arrays, one order, every product right."""
    numbers = range(10**12, 10**12 + 2500)
    answers = client.map("factorize", [{"number": number} for number in numbers], timeout_s=40)
    assert [answer["number"] for answer in answers if isinstance(answer, dict)] == list(numbers)
    assert all(map(is_right, answers))


def test_wrong_inputs_are_told_by_field(client: Client) -> None:
    """Alone and among others; a missing endpoint is another error."""
    with pytest.raises(InvalidInputError, match=r"^number: Input should be greater"):
        client.run("factorize", number=1)
    with pytest.raises(NotFoundError):
        client.run("factorise", number=1)
    good, wrong, unknown = client.map(
        "factorize", [{"number": 6}, {"number": "x"}, {"numbr": 6}], errors="return"
    )
    assert is_right(good)
    assert isinstance(wrong, InvalidInputError)
    assert [error.field for error in wrong.errors] == ["number"]
    assert isinstance(unknown, InvalidInputError)
    assert {error.field for error in unknown.errors} == {"number", "numbr"}


def test_the_command_line_answers_a_file(system: System, tmp_path: Path) -> None:
    """From numbers.jsonl to answers.jsonl."""
    source, target = tmp_path / "numbers.jsonl", tmp_path / "answers.jsonl"
    source.write_text("".join(f'{{"number": {number}}}\n' for number in range(2, 302)))
    assert main(["map", "factorize", str(source), "-o", str(target), "--url", system.url]) == 0
    answers = [json.loads(line) for line in target.read_text().splitlines()]
    assert [answer["number"] for answer in answers] == list(range(2, 302))
    assert all(map(is_right, answers))


def test_a_map_outlives_a_killed_server() -> None:
    """SIGKILL of the HTTP server in mid-map: started again, the map goes on to the end."""
    with System(processes=1) as system, Client(system.url, patience_s=30) as client:
        inputs = [{"number": 10**15 + number} for number in range(6000)]
        answers: list[Any] = []
        killed = threading.Event()

        def ask() -> None:
            for answer in client.imap("factorize", inputs, timeout_s=50):
                answers.append(answer)
                assert killed.wait(30)  # not all inputs are submitted by then

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: answers, description="the first answer came", timeout_s=20)
        assert system.http_server is not None
        system.http_server.kill()
        killed.set()
        system.start_http_server()
        asking.join(50)
        assert [answer["number"] for answer in answers] == [item["number"] for item in inputs]
        assert all(map(is_right, answers))


def test_a_server_without_a_queue_answers_too() -> None:
    """`--synchronous` answers in the same request."""
    with System(queue_mode="synchronous") as system, Client(system.url) as client:
        assert client.run("factorize", number=35)["factorization_str"] == "5^1 7^1"
        answers = client.map("factorize", [{"number": 6}, {"number": 1}], errors="return")
        assert is_right(answers[0])
        assert isinstance(answers[1], InvalidInputError)
