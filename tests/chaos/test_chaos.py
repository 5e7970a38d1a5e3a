"""A short run of what `make chaos` does for minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import run

KINDS = {"poll", "wait", "array", "watch", "map", "job", "hook"}


@pytest.mark.slow
def test_everybody_is_answered(tmp_path: Path) -> None:
    """Whoever asks gets the right answer once; nothing is left behind, and no key is told."""
    outcome = run("distributed", 15, 1, tmp_path)
    assert not outcome.wrong
    assert len(outcome.broken) >= 3
    assert {*outcome.answered} == KINDS
