"""Where these tests run: where somebody asked for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import leave_out


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The program nginx is no part of the virtual environment: they are left to `make proxy`."""
    leave_out(config, items, "proxy", Path(__file__).parent)
