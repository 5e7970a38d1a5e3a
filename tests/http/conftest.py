"""An application on a fake manager, and a real server with a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.settings import Settings
from doneyet.task_types import Registry, load_registry
from http_server.app import create_app
from tests.http.fakes import FakeManager
from tests.http.servers import ServerProcess, WorkLoop, serving

TASKS = "factorization,regression,tests.http.task_types"
SETTINGS = Settings(tasks=TASKS, max_body_bytes=100_000, max_wait_s=5, max_waiting=4)


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The built-in task types and those of the tests."""
    return load_registry(SETTINGS)


@pytest.fixture
def manager() -> FakeManager:
    """The fake manager behind `app`."""
    return FakeManager()


@pytest.fixture
def app(manager: FakeManager, registry: Registry) -> Iterator[Flask]:
    """The application, in this process."""
    app = create_app(SETTINGS, manager, registry)
    yield app
    app.extensions["doneyet"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Asks `app`."""
    return app.test_client()


@dataclass(frozen=True)
class System:
    """A server process, where it is, and who works for it."""

    server: ServerProcess
    url: str
    work: WorkLoop
    settings: Settings


@pytest.fixture(scope="session")
def session_system(redis_server: EmbeddedRedis) -> Iterator[System]:
    """One server process and one worker for all end-to-end tests, in databases of their own."""
    url = redis_server.url.replace("/0", "/6").replace("db=0", "db=6")
    settings = Settings(redis_url=url, input_db=7, key_prefix="http-tests", tasks=TASKS)
    flags = ("--input-db", "7", "--key-prefix", "http-tests", "--tasks", TASKS)
    with serving(*flags, redis_url=url) as server:
        work = WorkLoop(settings)
        yield System(server, server.url, work, settings)
        work.close()


@pytest.fixture
def system(session_system: System, redis_url: str) -> System:
    """The system with an empty Redis and the worker at work."""
    return session_system


@pytest.fixture
def idle_system(session_system: System, redis_url: str) -> Iterator[System]:
    """The system with an empty Redis and a worker that pauses."""
    with session_system.work.paused():
        yield session_system
