"""Clients that show a key, and what they make of a refusal."""

from __future__ import annotations

import pytest

from doneyet.client import Client, ForbiddenError, UnauthorizedError
from doneyet.client.key import VARIABLE
from doneyet.command.asking import main
from doneyet.setting_values import SettingError
from doneyet.settings import CLIENT_KEY, Settings
from tests.client.conftest import MakeStub
from tests.client.stub_server import Says, done, in_turn, problem

KEY = "dyk_secret-of-mine"


def test_a_key_is_sent(stub: MakeStub) -> None:
    """With every request, beside a password for a proxy and headers of one's own."""
    server = stub(in_turn(Says(200, done(1)), Says(200, {})))
    url = server.url.replace("http://", "http://user:password@")
    with Client(url, key=f" {KEY}\n", headers={"X-Team": "a"}) as client:
        client.run("double", number=1)
        client.load()
    for asked in server.asked:
        assert asked.headers["X-API-Key"] == KEY
        assert asked.headers["Authorization"].startswith("Basic ")
        assert asked.headers["X-Team"] == "a"


def test_a_key_of_the_environment(stub: MakeStub, monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument counts more, also an empty one; no key, no header."""
    server = stub(in_turn(Says(200, done(1))))
    for variable, key, sent in [
        (KEY, None, KEY),
        (KEY, "dyk_other", "dyk_other"),
        (KEY, "", None),
        ("", None, None),
    ]:
        monkeypatch.setenv(VARIABLE, variable)
        with Client(server.url, key=key) as client:
            client.run("double", number=1)
        assert server.asked[-1].headers.get("X-API-Key") == sent
    monkeypatch.setenv(VARIABLE, KEY)
    assert main(["--url", server.url, "double", "number=1"]) == 0
    assert server.asked[-1].headers["X-API-Key"] == KEY


@pytest.mark.parametrize(("status", "kind"), [(401, UnauthorizedError), (403, ForbiddenError)])
def test_a_refusal_is_not_retried(
    stub: MakeStub, status: int, kind: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    """Waiting mends no key: one request, one error, of one input or of many."""
    server = stub(in_turn(Says(status, problem(status, "not with this key"))))
    with Client(server.url, key=KEY) as client:
        with pytest.raises(kind, match="not with this key") as caught:
            client.run("double", number=1)
        assert len(server.asked) == 1
        with pytest.raises(kind):
            client.map("double", [{"number": n} for n in range(10)])
        assert len(server.asked) == 2
    assert KEY not in str(caught.value) + repr(caught.value) + repr(client)
    assert ("DONEYET_KEY" in str(caught.value)) == (status == 401)
    assert main(["--url", server.url, "load"]) == 1
    assert "not with this key" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["dyk_a b", "dyk_a\nX-Evil: 1", "dyk_é", "x" * 1001])
def test_what_cannot_be_a_key(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused before anything is sent, and not shown."""
    with pytest.raises(ValueError, match="the key must be one word") as caught:
        Client(key=key)
    assert key not in str(caught.value)
    monkeypatch.setenv(VARIABLE, key)
    assert main(["load"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("ValueError: DONEYET_KEY must be one word")
    assert "dyk_a" not in told


def test_programs_start_where_a_client_has_a_key() -> None:
    """The variable is none of their settings; but a file in its place is a slip, and not shown."""
    assert VARIABLE == CLIENT_KEY
    assert Settings.from_environment({VARIABLE: f"{KEY}\n"}) == Settings()
    assert Settings.from_environment({VARIABLE: " "}) == Settings()
    with pytest.raises(SettingError, match="for a file of keys is DONEYET_KEYS") as caught:
        Settings.from_environment({VARIABLE: "secrets.txt"})
    assert "secrets.txt" not in str(caught.value)
