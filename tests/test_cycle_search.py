"""Programs look for reference cycles while they run, and not while they start or end."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from doneyet.cycle_search import no_cycle_search

USUAL = (700, 10, 10)


@pytest.fixture(autouse=True)
def as_usual() -> Iterator[None]:
    """The collector's settings, as Python has them; they are as before afterwards."""
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield
    gc.enable()
    gc.set_threshold(*before)


def cycles_found() -> int:
    """Searches of the youngest objects so far."""
    return int(gc.get_stats()[0]["collections"])


def make_objects() -> None:
    """More than those after which there is a search."""
    assert len([[] for _ in range(5000)]) == 5000


def test_no_search_while_it_starts_and_again_afterwards() -> None:
    """What was made meanwhile is not looked at later either; even where the start failed."""
    kept = gc.get_freeze_count()
    before = cycles_found()
    with suppress(OSError), no_cycle_search():
        make_objects()
        assert cycles_found() == before
        raise OSError
    assert gc.get_threshold() == USUAL
    assert gc.get_freeze_count() > kept
    make_objects()
    assert cycles_found() > before


def test_what_a_users_module_chose_meanwhile_stays() -> None:
    """Whoever measures latency may have turned the search off, or made it rarer."""
    with no_cycle_search():
        gc.disable()
    assert not gc.isenabled()
    with no_cycle_search():
        gc.set_threshold(50_000)
    assert gc.get_threshold()[0] == 50_000


@pytest.mark.parametrize("module", ["http_server", "worker", "doneyet"])
def test_programs_end_without_it(module: str) -> None:
    """All that they have loaded is left as it is."""
    seen = "import atexit, gc, runpy, sys; sys.argv = ['x', '--help']; import atexit\n"
    seen += "atexit.register(lambda: print('kept', gc.get_freeze_count() > 10_000))\n"
    seen += f"runpy.run_module({module!r}, run_name='__main__')"
    ran = subprocess.run(
        [sys.executable, "-c", seen], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.splitlines()[-1] == "kept True"
