"""What stands in the place of the server, or between: each is one line that says what to do."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from doneyet.client import Client, ClientError, UnavailableError, UnexpectedAnswerError
from doneyet.command.asking import main
from doneyet.local.managed_process import free_port
from tests.client.conftest import MakeStub
from tests.client.stub_server import Says, done, in_turn

SECRET = "s3cr3t"
PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """But those that a test sets."""
    for name in (*PROXIES, "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of something that answers each connection so."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def failure(url: str, patience_s: float = 0.2) -> ClientError:
    """What asking there comes to, always in one line."""
    with Client(url, patience_s=patience_s) as client, pytest.raises(ClientError) as caught:
        client.run("double", number=1)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_dead_proxy(stub: MakeStub, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It is blamed, by its variable, without its password; `no_proxy` leads past it."""
    server = stub(in_turn(Says(200, done(1))))
    monkeypatch.setenv(name, f"http://user:{SECRET}@127.0.0.1:{free_port()}")
    error = failure(server.url)
    assert isinstance(error, UnavailableError)
    assert str(error).startswith("no answer from the proxy: Connection refused")
    assert f"which {name} names" in str(error)
    assert "no_proxy" in str(error)
    assert SECRET not in repr(error)
    assert not server.asked
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Client(server.url) as client:
        assert client.run("double", number=1) == done(1)


def test_a_proxy_that_reaches_nobody(stub: MakeStub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its HTML is told as what it is, and whose it is."""
    proxy = stub(in_turn(Says(502, "<html>no route</html>", {"Content-Type": "text/html"})))
    monkeypatch.setenv("http_proxy", proxy.url)
    error = failure("http://doneyet.example:8080")
    assert isinstance(error, UnavailableError)
    assert "answered 502 without JSON (text/html), through the proxy" in str(error)
    assert "http_proxy names" in str(error)


def test_a_redirect_and_a_login_page(stub: MakeStub) -> None:
    """Say where, without secrets."""
    where = f"https://user:{SECRET}@login.example/?token={SECRET}"
    error = failure(stub(in_turn(Says(302, "", {"Location": where}))).url)
    assert "sends on to https://***@login.example/; give the server's own URL" in str(error)
    page = stub(in_turn(Says(200, "<html>log in</html>", {"Content-Type": "text/html"})))
    assert "answered 200 without JSON (text/html); is this a doneyet server?" in str(
        failure(page.url)
    )
    deep = failure(stub(in_turn(Says(200, "[" * 200_000))).url)
    assert "without JSON" in str(deep)


def test_another_protocol() -> None:
    """As at the port of SSH: told at once, for no patience helps."""
    with answering(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")) as address:
        error = failure(f"http://{address}", patience_s=8)
    assert isinstance(error, UnexpectedAnswerError)
    assert "does not speak HTTP ('SSH-2.0-OpenSSH_9.6'); is the port right" in str(error)
    with answering(lambda connection: connection.sendall(b"+OK ready\r\n" * 10_000)) as address:
        assert "does not speak HTTP" in str(failure(f"http://{address}", patience_s=8))


def test_no_answer_at_all() -> None:
    """May be a server that restarts, so it is asked again."""
    asked = []
    with answering(lambda connection: asked.append(connection.recv(10_000))) as address:
        error = failure(f"http://{address}", patience_s=0.5)
    assert isinstance(error, UnavailableError)
    assert len(asked) >= 2


def test_http_where_https_is_meant(stub: MakeStub) -> None:
    """And the reverse."""
    server = stub(in_turn(Says(200, done(1))))
    error = failure(server.url.replace("http://", "https://"), patience_s=8)
    assert isinstance(error, UnexpectedAnswerError)
    assert "does the server speak http:// there?" in str(error)


def test_a_certificate_of_nobody(tmp_path: Path) -> None:
    """Says which variable names the authority's."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ),
            *("-nodes", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def answer(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True).close()

    with answering(answer) as address:
        error = failure(f"https://{address}", patience_s=8)
    assert isinstance(error, UnexpectedAnswerError)
    assert "certificate" in str(error)
    assert "set REQUESTS_CA_BUNDLE" in str(error)


def test_a_compressed_answer() -> None:
    """As a proxy may make of it."""
    body = gzip.compress(json.dumps(done(1)).encode())

    def answer(connection: socket.socket) -> None:
        connection.recv(10_000)
        head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    with answering(answer) as address, Client(f"http://{address}") as client:
        assert client.run("double", number=1) == done(1)


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}@127.0.0.1:PORT",
        f"http://user:{SECRET}%2F@127.0.0.1:PORT/below/",
        f"user:{SECRET}@127.0.0.1:PORT",
        f"ftp://user:{SECRET}@127.0.0.1:PORT",
        f"http://user:1/{SECRET}@127.0.0.1:PORT",
        f"http://user:{SECRET}/x@127.0.0.1:PORT",
        f"http://user:{SECRET} x@127.0.0.1:PORT",
        f"http://user:{SECRET}@x@127.0.0.1:PORT",
        f"http://user:{SECRET}@127.0.0.1:port",
        f"http://user:{SECRET}@",
        f"http://user:{SECRET}@127.0.0.1:PORT/?x=1",
        f"http://user:{SECRET}@.example:PORT",
    ],
)
def test_a_password_never_shows(capsys: pytest.CaptureFixture[str], url: str) -> None:
    """In no error of a server that is away, or of a URL that is none."""
    arguments = ["--url", url.replace("PORT", str(free_port())), "--patience-s", "0.1"]
    assert main([*arguments, "double", "number=1"]) in (2, 3)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert SECRET not in err


def test_a_password_is_sent(stub: MakeStub) -> None:
    """As HTTP's Basic authentication, decoded; it shows in no attribute that is printed."""
    server = stub(in_turn(Says(200, done(1)), Says(404, "no")))
    with Client(server.url.replace("//", f"//us%40er:{SECRET}%2F@")) as client:
        client.run("double", number=1)
        with pytest.raises(UnexpectedAnswerError) as caught:
            client.run("double", number=1)
    assert SECRET not in repr(caught.value)
    assert SECRET not in repr(client)
    assert server.asked[0].headers["Authorization"] == "Basic dXNAZXI6czNjcjN0Lw=="
