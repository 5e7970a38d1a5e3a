"""Tasks that are kept without polls, and told to webhooks: what the client sends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from doneyet.client import Client
from doneyet.command.asking import main
from tests.client.conftest import MakeClient, MakeStub
from tests.client.stub_server import Asked, Says, done, pending

URL = "https://example.org/hook"
SENT = ("Prefer", "Webhook-Url", "Webhook-Events")


def answers(asked: Asked) -> Says:
    """At the second request of a kind all is done."""
    if isinstance(asked.body, list):
        return Says(200, [done(each["number"]) for each in asked.body])
    return Says(200, done(asked.body["number"]))


def sent(asked: Asked) -> dict[str, str]:
    """The headers that matter here."""
    named = {name.title(): text for name, text in asked.headers.items()}
    return {name: named[name] for name in SENT if name in named}


Call = Callable[..., Any]


@pytest.mark.parametrize(
    ("call", "held"),
    [
        (lambda client, **given: client.ask("double", number=1, **given), ""),
        (lambda client, **given: client.run("double", {"number": 1}, **given), "wait=20"),
        (lambda client, **given: client.map("double", [{"number": 1}], **given), "wait=1"),
        (lambda client, **given: [*client.imap("double", [{"number": 1}], **given)], "wait=1"),
        (lambda client, **given: client.submit_many("double", [{"number": 1}], **given), ""),
    ],
    ids=["ask", "run", "map", "imap", "submit_many"],
)
def test_what_is_kept_and_told(
    stub: MakeStub, client_of: MakeClient, call: Call, held: str
) -> None:
    """Seconds that the server can read, at least as many; nothing where nothing is asked for. None
    of it is a field of the input."""
    server = stub(answers)
    client = client_of(server)
    for given, prefer, others in (
        ({}, held, {}),
        ({"keep_s": 59.1}, f"{held}, keep=60", {}),
        ({"webhook_url": URL}, held, {"Webhook-Url": URL}),
        (
            {"webhook_url": URL, "webhook_events": ["completed", "started"], "keep_s": 1},
            f"{held}, keep=1",
            {"Webhook-Url": URL, "Webhook-Events": "completed, started"},
        ),
    ):
        call(client, **given)
        asked = server.asked[-1]
        wishes = prefer.removeprefix(", ")
        assert sent(asked) == ({"Prefer": wishes} if wishes else {}) | others
        assert asked.body in ({"number": 1}, [{"number": 1}])


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"keep_s": -1}, ValueError, "keep_s"),
        ({"keep_s": "5"}, ValueError, "keep_s"),
        ({"keep_s": math.inf}, ValueError, "keep_s"),
        ({"keep_s": math.nan}, ValueError, "keep_s"),
        ({"webhook_events": ["started"]}, ValueError, "webhook_url"),
        ({"webhook_url": URL, "webhook_events": "started"}, TypeError, r"\['started'\]"),
        ({"webhook_url": "https://exämple.org"}, ValueError, "ASCII"),
        ({"webhook_url": f"{URL}\r\nX-Api-Key: x"}, ValueError, "Webhook-URL"),
        ({"webhook_url": URL, "webhook_events": ["a\nb"]}, ValueError, "Webhook-Events"),
    ],
)
def test_what_cannot_be_sent(given: dict[str, Any], error: type[Exception], said: str) -> None:
    """Is said before anything is sent."""
    with Client("http://127.0.0.1:1", patience_s=0) as client, pytest.raises(error, match=said):
        client.run("double", number=1, **given)


def test_the_command_asks_for_it(stub: MakeStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether it waits for the answer or not; what is of no use is a wrong command line."""
    server = stub(lambda _asked: Says(202, pending(1)))
    words = ["ask", "double", "number=1", "--no-wait", "--keep-s", "60", "--webhook-url", URL]
    events = ["--webhook-event", "started", "--webhook-event", "completed"]
    assert main(["--url", server.url, *words, *events]) == 0
    wanted = {"Prefer": "keep=60", "Webhook-Url": URL, "Webhook-Events": "started, completed"}
    assert sent(server.asked[-1]) == wanted
    assert main(["--url", server.url, "ask", "double", "number=1", "--keep-s", "-1"]) == 2
    assert "keep_s" in capsys.readouterr().err
