"""Where these tests run: where somebody asked for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.settings import Settings
from tests.browser.chromium import PROGRAMS, Chromium, find_program
from tests.browser.dashboard import TASKS, Dashboard, Served, dashboard_in
from tests.helpers import leave_out
from tests.http.servers import WorkLoop, serving

HOSTS = ("evil.example", "box.example")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A browser is no part of the virtual environment, so they are left to `make browser`."""
    leave_out(config, items, "browser", Path(__file__).parent)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """A browser in which `HOSTS` lead to this machine."""
    program = find_program()
    if program is None:
        pytest.fail(f"no {' or '.join(PROGRAMS)} on PATH (Debian, Ubuntu: apt install chromium)")
    with Chromium(program, HOSTS) as browser:
        yield browser


class Elsewhere(BaseHTTPRequestHandler):
    """Another site: an empty page."""

    def do_GET(self) -> None:
        """Every path."""
        page = b"<!doctype html><title>Another site</title><body></body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of another site on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def served(redis_server: EmbeddedRedis) -> Iterator[Served]:
    """One server and one worker for all of these tests."""
    url = redis_server.url.replace("/0", "/6").replace("db=0", "db=6")
    settings = Settings(redis_url=url, queue_mode="distributed", key_prefix="browser", tasks=TASKS)
    flags = ("--distributed", "--key-prefix", "browser", "--tasks", TASKS)
    with serving(*flags, redis_url=url) as server:
        work = WorkLoop(settings)
        yield Served(server, work, settings)
        work.close()


@pytest.fixture
def dashboard(chromium: Chromium, served: Served, redis_url: str) -> Iterator[Dashboard]:
    """A tab before an empty Redis; the worker is at work."""
    with dashboard_in(chromium, served.server.url) as shown:
        yield shown


@pytest.fixture
def idle(served: Served) -> Iterator[None]:
    """The worker pauses: what is submitted waits."""
    with served.work.paused():
        yield
