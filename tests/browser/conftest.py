"""Where these tests run: where somebody asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import PROGRAMS, Chromium, find_program

HOSTS = ("evil.example", "box.example")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A browser is no part of the virtual environment, so they are left to `make browser`."""
    if "browser" in config.option.markexpr:
        return
    here = Path(__file__).parent
    left_out = [item for item in items if here in item.path.parents]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """A browser in which `HOSTS` lead to this machine."""
    program = find_program()
    if program is None:
        pytest.fail(f"no {' or '.join(PROGRAMS)} on PATH (Debian, Ubuntu: apt install chromium)")
    with Chromium(program, HOSTS) as browser:
        yield browser
