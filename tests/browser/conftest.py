"""Where these tests run: where somebody asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import PROGRAMS, Chromium, find_program
from tests.helpers import leave_out

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
