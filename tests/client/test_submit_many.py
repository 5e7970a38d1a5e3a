"""`Client.submit_many`, and `doneyet map --no-wait`: many are submitted, nobody waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doneyet.client import InvalidInputError, SomeFailedError, TaskFailedError, UnavailableError
from doneyet.client.bulk import MOST_INPUTS
from doneyet.command.asking import main
from tests.client.conftest import MakeClient, MakeStub
from tests.client.stub_server import Asked, Says, done, in_turn, pending, problem

URL = "https://example.org/hook"


def inputs(count: int) -> list[dict[str, int]]:
    """So many, all different."""
    return [{"number": number} for number in range(count)]


def all_pending(asked: Asked) -> Says:
    """The server has taken them."""
    return Says(200, [pending(each["number"]) for each in asked.body], {"Retry-After": "1"})


def test_each_input_is_submitted_once(stub: MakeStub, client_of: MakeClient) -> None:
    """In arrays that the server takes, none of which is held, each with what is to be kept."""
    server = stub(all_pending)
    answers = client_of(server).submit_many(
        "double", inputs(9500), keep_s=60, webhook_url=URL, webhook_events=["started"]
    )
    assert answers == [pending(number) for number in range(9500)]
    assert [len(asked.body) for asked in server.asked] == [MOST_INPUTS] * 9 + [500]
    for asked in server.asked:
        assert asked.headers["Prefer"] == "keep=60"
        assert asked.headers["Webhook-URL"] == URL
        assert asked.headers["Webhook-Events"] == "started"


def test_no_inputs_are_no_request(stub: MakeStub, client_of: MakeClient) -> None:
    """Nothing submitted."""
    server = stub(all_pending)
    assert client_of(server).submit_many("double", []) == []
    assert server.asked == []


def test_what_the_server_has_no_room_for_is_submitted_again(
    stub: MakeStub, client_of: MakeClient
) -> None:
    """Alone; what it has taken is not asked for again."""
    full = Says(200, [pending(0), problem(503, "full"), done(2)], {"Retry-After": "0"})
    server = stub(in_turn(full, Says(200, [pending(1)])))
    assert client_of(server).submit_many("double", inputs(3)) == [pending(0), pending(1), done(2)]
    assert [asked.body for asked in server.asked] == [inputs(3), [{"number": 1}]]


def test_an_array_that_is_too_large_is_halved(stub: MakeStub, client_of: MakeClient) -> None:
    """As where a server's DONEYET_MAX_BODY_BYTES is small; each input is taken once."""
    taken: list[int] = []

    def small(asked: Asked) -> Says:
        if len(asked.body) > 30:
            return Says(413, problem(413, "too large"))
        taken.extend(each["number"] for each in asked.body)
        return all_pending(asked)

    answers = client_of(stub(small)).submit_many("double", inputs(200))
    assert answers == [pending(number) for number in range(200)]
    assert sorted(taken) == list(range(200))


def test_what_is_refused_or_has_failed_is_told(stub: MakeStub, client_of: MakeClient) -> None:
    """As by `map`: all others are submitted, and their answers are in the exception."""
    failed = done(1, status="failed", error={"code": "task-failed", "detail": "no luck"})
    wrong = problem(422, "wrong", ("/number", "must be less"))
    server = stub(lambda _asked: Says(200, [pending(0), failed, wrong]))
    client = client_of(server)
    with pytest.raises(SomeFailedError, match="2 of 3") as caught:
        client.submit_many("double", inputs(3))
    assert caught.value.answers[0] == pending(0)
    told = client.submit_many("double", inputs(3), errors="return")
    assert [type(each) for each in told] == [dict, TaskFailedError, InvalidInputError]
    with pytest.raises(ValueError, match="not 'ignore'"):
        client.submit_many("double", inputs(3), errors="ignore")  # type: ignore[arg-type]
    assert len(server.asked) == 2


def test_a_server_that_stays_full_is_told(stub: MakeStub, client_of: MakeClient) -> None:
    """After the client's patience, at the inputs that it did not take."""
    server = stub(
        lambda asked: Says(
            200,
            [pending(0) if each["number"] == 0 else problem(503, "full") for each in asked.body],
        )
    )
    first, second = client_of(server, patience_s=0.2).submit_many(
        "double", inputs(2), errors="return"
    )
    assert first == pending(0)
    assert isinstance(second, UnavailableError)


def written(path: Path) -> list[Any]:
    """The lines of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_command(stub: MakeStub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ids to fetch the answers by are in the output; a broken line keeps its place."""
    lines, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines.write_text('{"number": 0}\nx\n{"number": 2}\n')
    server = stub(all_pending)
    words = ["--url", server.url, "map", "double", str(lines), "-o", str(out), "--no-wait"]
    wishes = ["--keep-s", "60", "--webhook-url", URL, "--webhook-event", "progress"]
    assert main([*words, *wishes]) == 1
    first, broken, third = written(out)
    assert (first, third) == (pending(0), pending(2))
    assert broken["error"]["code"] == "invalid-json"
    (asked,) = server.asked
    assert asked.headers["Prefer"] == "keep=60"
    assert (asked.headers["Webhook-URL"], asked.headers["Webhook-Events"]) == (URL, "progress")
    assert main([*words, "--webhook-event", "progress"]) == 2
    assert "webhook_url" in capsys.readouterr().err


def test_the_command_waits_unless_told_not_to(stub: MakeStub, tmp_path: Path) -> None:
    """What is kept is kept so, too."""
    lines, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines.write_text('{"number": 0}\n')
    server = stub(in_turn(Says(200, [pending(0)]), Says(200, [done(0)])))
    words = ["--url", server.url, "map", "-q", "double", str(lines), "-o", str(out)]
    assert main([*words, "--keep-s", "60"]) == 0
    assert written(out) == [done(0)]
    assert [asked.headers["Prefer"] for asked in server.asked] == [
        *("wait=1, keep=60", "wait=2, keep=60"),
    ]
