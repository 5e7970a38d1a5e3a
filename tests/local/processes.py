"""Telling which processes a test has started, and whether any is left."""

from __future__ import annotations

import os
import subprocess
import uuid

VARIABLE = "TEST_RUN_MARK"


def new_mark() -> dict[str, str]:
    """An environment variable that every descendant of a program inherits."""
    return {VARIABLE: uuid.uuid4().hex}


def marked(mark: dict[str, str]) -> list[str]:
    """The processes (as `ps` lines) that have `mark` in their environment."""
    # BSD style options, which Linux and macOS both take: all users', without terminal, with
    # environment, in full.
    without_it = {name: value for name, value in os.environ.items() if name != VARIABLE}
    listed = subprocess.run(
        ["ps", "axeww"], env=without_it, capture_output=True, text=True, check=True
    ).stdout
    return [line for line in listed.splitlines() if f"{VARIABLE}={mark[VARIABLE]}" in line]
