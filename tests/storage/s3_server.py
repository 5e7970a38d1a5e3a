"""A real S3 API on loopback, and a proxy before it that fails as asked.

    with S3Server() as server, FlakyProxy(server.port, share=0.5) as proxy:
        system = System(settings=proxy.environment)

Tests take the fixtures of `tests/storage/conftest.py` instead.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from botocore.config import Config

from doneyet.local.managed_process import free_port
from tests.helpers import wait_until

START_TIMEOUT_S = 30.0

ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>so it was told</Message></Error>"
FAULTS = ("500", "503", "no answer", "half an answer")
STATUSES = {"500": (500, "InternalError"), "503": (503, "SlowDown"), "403": (403, "AccessDenied")}
STATUSES["no such upload"] = (404, "NoSuchUpload")


def environment(port: int) -> dict[str, str]:
    """What tells boto, and so s3fs, to use the server on `port`, and nothing of this machine's."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test-key",
        "AWS_SECRET_ACCESS_KEY": "test-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


class S3Server:
    """moto's server in a process of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.environment = environment(self.port)

    def __enter__(self) -> S3Server:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._listens, description="moto listens", timeout_s=START_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def client(self) -> Any:
        """boto3's client, for what a test looks at or prepares."""
        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
            config=Config(s3={"addressing_style": "path"}),
        )

    def _listens(self) -> bool:
        assert self._process.poll() is None, "moto ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class FlakyProxy:
    """Passes requests on, but for a share of them, which it fails in one of `faults`."""

    def __init__(
        self, port: int, *, share: float, seed: int = 1, faults: tuple[str, ...] = FAULTS
    ) -> None:
        self.share, self.faults = share, faults
        self.passed, self.failed = 0, 0
        """Requests so far."""
        self._random, self._lock = random.Random(seed), threading.Lock()
        proxy = self

        class Handler(_Handler):
            flaky, port_behind = proxy, port

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.environment = environment(self._server.server_port)

    def __enter__(self) -> FlakyProxy:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fault(self, path: str) -> str | None:
        """How the request of `path` is to fail; None where it is not."""
        with self._lock:
            if self._random.random() < self.share:
                self.failed += 1
                return self._random.choice(self.faults)
            self.passed += 1
            return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    flaky: FlakyProxy
    port_behind: int

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # whoever asked has gone
            super().handle()

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.flaky.fault(self.path)
        if fault in STATUSES:
            status, code = STATUSES[fault]
            answer = b"" if self.command == "HEAD" else ERROR.format(code=code).encode()
            self._answer(status, {"Content-Type": "application/xml"}, answer)
            return
        if fault == "no answer" or (fault == "half an answer" and self.command == "HEAD"):
            self.close_connection = True
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self.port_behind, timeout=30)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers))
            response = upstream.getresponse()
            got, headers = response.read(), dict(response.getheaders())
        finally:
            upstream.close()
        if fault == "half an answer":
            headers = {name.title(): value for name, value in headers.items()}
            headers["Content-Length"] = str(max(len(got), 2))
            got, self.close_connection = got[: len(got) // 2], True
        self._answer(response.status, headers, got)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        named = {name.lower() for name in headers}
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        if "content-length" not in named:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815  # as http.server calls them
