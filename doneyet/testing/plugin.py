"""The fixtures that pytest finds where `doneyet[test]` is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from doneyet.testing.system import SystemInProcess


@pytest.fixture
def doneyet_system() -> Iterator[Callable[..., SystemInProcess]]:
    """Serves task types in this process until the test ends: `doneyet_system(Iris).client`."""
    from doneyet.testing.system import SystemInProcess

    with contextlib.ExitStack() as running:
        yield lambda *task_types, **settings: running.enter_context(
            SystemInProcess(*task_types, **settings)
        )
