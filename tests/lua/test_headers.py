"""Every script says what it takes and gives, truly; nobody can call it otherwise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from task_manager.redis.keys import Keys
from task_manager.redis.scripts.lua_script import FOLDER, Script, script
from tests.lua.assembled import all_scripts

FILES = sorted(FOLDER.rglob("*.lua"))
SCRIPTS = list(all_scripts())
MOST_LINES = 150
LOCK: dict[str, Any] = {"lock": "l", "owner": "o", "ttl_ms": 1}


def name(path: Path) -> str:
    """The file as includes name it."""
    return str(path.relative_to(FOLDER).with_suffix(""))


def code(path: Path) -> str:
    """A file without its comments."""
    return re.sub(r"--.*$", "", path.read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_slots_are_declared_and_used(path: Path) -> None:
    """No script indexes KEYS or ARGV; what a script's own header declares it uses."""
    assert not re.search(r"\b(KEYS|ARGV)\b", code(path))
    declared = re.findall(r"^-- (?:KEYS|ARGV) +(\w+)", path.read_text(), re.MULTILINE)
    used = {name for each in SCRIPTS for name in each.slots}
    assert set(declared) <= used


@pytest.mark.parametrize("each", SCRIPTS, ids=lambda each: each.name)
def test_every_script_gets_its_keys_in_the_same_order(each: Script) -> None:
    """That in which they stand in `Keys`; lists last, and of these the keys of single tasks."""
    order = [name for name in vars(Keys) if not name.startswith("_")]
    for is_list in (False, True):
        places = [
            order.index(slot.name) if slot.name in order else len(order)
            for slot in each.keys
            if slot.is_list is is_list
        ]
        assert places == sorted(places)


def test_a_call_with_other_slots_cannot_be_made() -> None:
    """A slot missing, unknown or of another kind; a text for a list, lists of two lengths."""
    take = script("random", "take_lock")
    assert list(take.call(**LOCK).keys) == ["l"]
    assert list(take.call(**LOCK).args) == ["o", 1]
    with pytest.raises(TypeError, match="random/take_lock needs ttl_ms"):
        take.call({}, lock="l", owner="o")
    with pytest.raises(TypeError, match="random/take_lock takes no limit"):
        take.call(**LOCK, limit=3)
    for wrong in ({"ttl_ms": "1"}, {"ttl_ms": True}, {"lock": 1}, {"owner": ["o"]}):
        with pytest.raises(TypeError, match="is to be a"):
            take.call(**(LOCK | wrong))
    lists: dict[str, Any] = {"running": "r", "progress": "p", "owner": "o", "keep_ms": 1}
    with pytest.raises(TypeError, match="lists of one length"):
        script("random", "progress").call(**lists, ids=["a"], reports=[])
    with pytest.raises(TypeError, match="ids is to be a list"):
        script("random", "progress").call(**lists, ids="a", reports=["b"])


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_line_does_one_thing(path: Path) -> None:
    """No file is long, and no line assigns several values; the parts of one value may share one."""
    lines = code(path).splitlines()
    assert len([line for line in lines if line.strip()]) <= MOST_LINES
    for line in lines:
        assert ";" not in line
        several = re.match(r"^\s*(?:local )?[\w.\[\]]+(?:, [\w.\[\]]+)+ = (.*)$", line)
        if several:
            values = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", several[1]))
            assert "," not in values, line


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_scans_the_keyspace(path: Path) -> None:
    """No KEYS, no SCAN, no FLUSH; the clock is Redis' own."""
    assert not re.search(r"'(KEYS|SCAN|FLUSHDB|FLUSHALL)'|os\.time", code(path), re.IGNORECASE)


@pytest.mark.parametrize("each", SCRIPTS, ids=lambda each: each.name)
def test_every_script_has_a_test(each: Script) -> None:
    """Some test runs it by name against a real server."""
    tests = "".join(
        file.read_text() for file in Path(__file__).parents[1].glob("*/test_*_scripts.py")
    )
    own = (FOLDER / f"{each.name}.lua").exists()
    modes = (each.name,) if own else (f"random/{each.name.partition('/')[2]}", each.name)
    assert any(f'"{mode}"' in tests for mode in modes)
