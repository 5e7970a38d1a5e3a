"""A server that has keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.keys.key_file import sha256_of
from tests.http.conftest import SETTINGS
from tests.http.fakes import FakeManager

SECRETS = {role: f"dyk_{role}-secret" for role in ("ask", "read", "operate")}
"""A key for each role; its name is that of the role."""


def line(name: str, role: str, secret: str, options: str = "") -> str:
    """A line of a key file."""
    return f"{name} {role} {sha256_of(secret)} {options}\n"


def bearer(secret: str) -> Mapping[str, str]:
    """The header that shows a key."""
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """One key of each role."""
    path = tmp_path / "keys.txt"
    path.write_text("".join(line(role, role, secret) for role, secret in SECRETS.items()))
    return path


@pytest.fixture
def keyed_settings(key_file: Path) -> Settings:
    """The settings of the tests, with keys."""
    return dataclasses.replace(SETTINGS, keys=str(key_file))


@pytest.fixture
def keyed_app(
    keyed_settings: Settings, manager: FakeManager, registry: Registry
) -> Iterator[Flask]:
    """The application, in this process."""
    app = create_app(keyed_settings, manager, registry)
    yield app
    app.extensions["doneyet"].close()


@pytest.fixture
def keyed(keyed_app: Flask) -> FlaskClient:
    """Asks `keyed_app`."""
    return keyed_app.test_client()
