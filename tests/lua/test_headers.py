"""Every script says what it takes and gives, truly, and stays short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from task_manager.redis.scripts import FOLDER

SCRIPTS = sorted(path for path in FOLDER.rglob("*.lua") if path.parent.name != "parts")
MOST_LINES = 80


def name(path: Path) -> str:
    """The script as calls name it."""
    return str(path.relative_to(FOLDER).with_suffix(""))


def header_and_code(path: Path) -> tuple[str, str]:
    """The comment that the script begins with, and the rest."""
    lines = path.read_text().splitlines()
    end = next(i for i, line in enumerate(lines) if not line.startswith("--"))
    return "\n".join(lines[:end]), "\n".join(lines[end:])


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_header_declares_every_slot(path: Path) -> None:
    """Each KEYS and ARGV index that the code uses stands in the header, with a type."""
    header, code = header_and_code(path)
    for slots in ("KEYS", "ARGV"):
        lines = re.findall(rf"^-- {slots}\[(\d+)\+?\] +\S", header, re.MULTILINE)
        declared = {int(n) for n in lines}
        used = {int(n) for n in re.findall(rf"\b{slots}\[(\d+)\]", code)}
        if re.search(rf"^-- {slots}\[\d+\+\]", header, re.MULTILINE):  # "and so on"
            used = {n for n in used if n <= max(declared)}
        assert used <= declared, f"{slots} used but not in the header"
        assert declared == set(range(1, len(declared) + 1)), f"{slots} in order, none left out"
    assert re.search(r"^-- returns ", header, re.MULTILINE), "what it returns"


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_one_transition_fits_on_a_page(path: Path) -> None:
    """At most 80 lines of code below the header."""
    _, code = header_and_code(path)
    lines = [line for line in code.splitlines() if line.strip() and not line.startswith("--")]
    assert len(lines) <= MOST_LINES


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_nothing_scans_the_keyspace(path: Path) -> None:
    """No KEYS, no SCAN, no FLUSH; the clock is Redis' own."""
    _, code = header_and_code(path)
    assert not re.search(r"'(KEYS|SCAN|FLUSHDB|FLUSHALL)'|os\.time", code, re.IGNORECASE)


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_every_script_has_a_test(path: Path) -> None:
    """Some test runs it by name against a real server."""
    tests = "".join(
        file.read_text() for file in Path(__file__).parents[1].glob("*/test_*_scripts.py")
    )
    assert name(path) in tests
