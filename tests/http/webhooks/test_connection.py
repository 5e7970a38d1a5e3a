"""One request to a receiver, whatever that does."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_server.webhooks import addresses, connection
from http_server.webhooks.connection import NotSentError, Reply, post
from http_server.webhooks.target import Target, target_of
from tests.helpers import wait_until
from tests.http.webhooks import receiver as answers
from tests.http.webhooks.receiver import Receiver, receiving
from tests.stopwatch import Stopwatch

HEADERS = {"webhook-id": "msg_a", "webhook-signature": "v1,x", "webhook-timestamp": "1"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on this machine."""
    with receiving() as receiver:
        yield receiver


def send(receiver: Receiver, path: str = "/hook", limit_s: float = 5.0) -> Reply:
    """One request to it."""
    target = target_of(receiver.url + path, http=True, private=True)
    return post(target, b'{"a":1}', HEADERS, private=True, limit_s=limit_s)


def test_a_request_arrives(receiver: Receiver) -> None:
    """With its path, query and headers, and no others of note."""
    assert send(receiver, "/hook?a=b%20c") == Reply(204, None)
    (received,) = receiver.received
    assert (received.path, received.raw, received.id) == ("/hook?a=b%20c", b'{"a":1}', "msg_a")
    assert received.headers["host"] == receiver.url.removeprefix("http://")
    assert received.headers["content-length"] == "7"


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    """They are what they are."""
    receiver.answers = [answers.status(302, location=receiver.url + "/other")]
    assert send(receiver).status == 302
    assert len(receiver.received) == 1


def test_no_proxy_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(receiver).status == 204


def test_retry_after_is_told(receiver: Receiver) -> None:
    """As it was said."""
    receiver.answers = [answers.status(503, retry_after="7")]
    assert send(receiver) == Reply(503, "7")


@pytest.mark.parametrize("answer", [answers.silence, answers.trickling_head])
def test_a_receiver_that_does_not_answer(receiver: Receiver, answer: Any) -> None:
    """Is left at the time limit, also one that says a little now and then."""
    receiver.answers = [answer]
    watch = Stopwatch()
    with pytest.raises(NotSentError, match=r"no answer within 0\.5 s"):
        send(receiver, limit_s=0.5)
    assert watch.within_s(1), watch


def test_a_name_that_nobody_tells(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is left at the time limit, too: else the attempt would be over after its lease is, and never
    count. What can be no name is told at once."""
    told = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: told.wait(30) and [])
    watch = Stopwatch()
    with pytest.raises(NotSentError, match=r"no answer within 0\.5 s"):
        send(receiver, limit_s=0.5)
    assert watch.within_s(1), watch
    told.set()
    monkeypatch.undo()
    for name in ("a..b", "x" * 70 + ".invalid"):
        with pytest.raises(NotSentError, match="UnicodeError"):
            post(Target("http", name, 80, "/"), b"", HEADERS, private=True, limit_s=5)


@pytest.mark.parametrize("answer", [answers.endless_body, answers.trickling_body])
def test_a_body_without_end(receiver: Receiver, answer: Any) -> None:
    """The status counts, and little more is read."""
    receiver.answers = [answer]
    watch = Stopwatch()
    assert send(receiver).status == 200
    assert watch.within_s(2), watch


def test_a_head_without_end(receiver: Receiver) -> None:
    """Is left long before the time limit, since to read it is work."""
    receiver.answers = [answers.endless_head]
    watch = Stopwatch()
    with pytest.raises(NotSentError, match="its answer is too long"):
        send(receiver, limit_s=10)
    assert watch.within_s(2), watch


def test_what_is_no_http(receiver: Receiver) -> None:
    """Is told in a few words."""
    receiver.answers = [answers.nonsense]
    with pytest.raises(NotSentError, match="BadStatusLine") as raised:
        send(receiver)
    assert str(raised.value) == r"BadStatusLine: hello\x1b[2J\r\r\n"  # no terminal obeys
    with pytest.raises(NotSentError, match="ConnectionRefusedError"):
        post(Target("http", "127.0.0.1", 1, "/"), b"", HEADERS, private=True, limit_s=5)


@pytest.fixture
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A port, and what comes on each connection to it."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def listen() -> None:
            with server.accept()[0] as accepted:
                came.append(accepted.recv(100))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        thread.join(5)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_whose_address_is_not_allowed_gets_no_byte(
    listening: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Neither before it is connected, nor where a connection leads elsewhere than its address."""
    port, came = listening
    target = Target(scheme, "localhost", port, "/")
    with pytest.raises(NotSentError, match="its address is private, and DONEYET_WEBHOOK_PRIVATE"):
        post(target, b"{}", HEADERS, private=False, limit_s=5)
    assert not came
    asked = list[str]()

    def at_the_peer_only(address: str, *, private: bool) -> str | None:
        asked.append(address)
        return addresses.refusal(address, private=private) if len(asked) > 1 else None

    monkeypatch.setattr(connection, "refusal", at_the_peer_only)
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))],
    )
    with pytest.raises(NotSentError, match="its address is private"):
        post(target, b"{}", HEADERS, private=False, limit_s=5)
    assert asked == ["127.0.0.1", "127.0.0.1"]
    wait_until(lambda: came == [b""], description="the connection ends without a byte")


def test_certificates_are_checked() -> None:
    """Nothing is sent to who has none that is valid."""
    with receiving() as receiver:
        target = Target("https", "127.0.0.1", int(receiver.server_address[1]), "/")
        with pytest.raises(NotSentError, match=r"TLS|its certificate"):
            post(target, b"{}", HEADERS, private=True, limit_s=5)
        assert not receiver.received


def test_https_is_spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To who has a certificate for the name that is known; `Host` names a port that is not 443."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-keyout", key, "-out", certificate)
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1")
    subprocess.run([*made, *names, *files], check=True, capture_output=True)
    trusting = ssl.create_default_context(cafile=certificate)
    monkeypatch.setattr(connection, "_tls", lambda: trusting)
    with receiving() as receiver:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        port = receiver.server_address[1]
        target = Target("https", "localhost", int(port), "/hook")
        assert post(target, b"{}", HEADERS, private=True, limit_s=5).status == 204
        assert receiver.received[0].headers["host"] == f"localhost:{port}"
        with pytest.raises(NotSentError, match=r"its certificate: .*127\.0\.0\.1"):
            post(
                Target("https", "127.0.0.1", int(port), "/"),
                b"{}",
                HEADERS,
                private=True,
                limit_s=5,
            )
