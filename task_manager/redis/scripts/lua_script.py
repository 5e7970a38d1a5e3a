"""A Lua script of `lua/`, and its signature: the slots that its header declares.

`-- KEYS  NAME  TYPE  …` and `-- ARGV  NAME  KIND  …` declare one slot each, `NAME[]` a list. In the
script it is a local variable of that name, and a caller passes it by that name, so nobody
knows at which place of KEYS or ARGV it stands. `-- include PART` stands for the text of that part,
once, whose slots are the script's, too. `-- returns  KIND: …` tells the type of the reply.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from task_manager.redis.keys import Keys

FOLDER = Path(__file__).parents[2] / "lua"
OF_ALL_MODES = ("shared", "kept", "deployment")
"""Where scripts are that all queue modes have: about tasks, about kept ones, about none."""

Argument = str | bytes | int
Given = Argument | list[Argument] | list[str] | list[bytes] | list[int] | list[bool]

_SLOT = re.compile(r"^-- (KEYS|ARGV) +(\w+)(\[\])? +(\w+).*$", re.MULTILINE)
_INCLUDE = re.compile(r"^-- include (\S+)$", re.MULTILINE)
_FUNCTION = re.compile(
    r"^(?:--.*\n)*local function (\w+)\(.*(?:\bend$|\n(?:  .*\n|\n)*end$)\n", re.MULTILINE
)
_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_RETURNS = re.compile(r"^-- returns +(\w+): ", re.MULTILINE)

_TEXTS = ("hash", "list", "string", "zset")
_NUMBERS = ("count", "int", "ms")
_MADE_IN_LUA = {
    **dict.fromkeys((*_TEXTS, "digits")),
    **dict.fromkeys(_NUMBERS, "tonumber"),
    "flag": "flag",
}
"""What makes a slot of the string that Redis passes; `digits` are a number that is passed on."""
_IN_PYTHON: Mapping[str, frozenset[type]] = {
    **dict.fromkeys(_TEXTS, frozenset([str, bytes])),
    **dict.fromkeys((*_NUMBERS, "digits"), frozenset([int])),
    "flag": frozenset([bool]),
}
_REPLIES: Mapping[str, type] = {"list": list, "int": int, "any": object}

_MAKERS = (FOLDER / "parts" / "slots.lua").read_text()

_KEY_ORDER = {name: place for place, name in enumerate(vars(Keys))}
"""In which order all scripts get their keys; those of single tasks come last."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What a script is given: a key, or an argument of some kind."""

    name: str
    kind: str
    is_list: bool
    types: frozenset[type]
    """What its values are in Python."""

    def passed(self, given: Given) -> Given:
        """`given` as Redis is to get it.

        Raises:
            TypeError: it is of another kind.
        """
        if self.is_list:
            is_fitting = type(given) is list and self.types.issuperset(map(type, given))
        else:
            is_fitting = type(given) in self.types
        if not is_fitting:
            kind = f"list of {self.kind}" if self.is_list else self.kind
            raise TypeError(f"{self.name} is to be a {kind}, unlike {given!r:.80}")
        if self.kind != "flag":
            return given
        return [*map(int, given)] if isinstance(given, list) else int(given)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one script."""

    script: Script
    keys: Sequence[Argument]
    args: Sequence[Argument]


class Script:
    """One script, as one queue mode runs it.

    Attributes:
        name: `MODE/NAME`, for people.
        keys, args: its slots, in the order in which Redis gets them: lists last.
        slots: all of them, by name.
        source: what Redis runs.
        reply: the type of what it returns; another reply is none.
    """

    def __init__(self, mode: str, name: str) -> None:
        self.name = f"{mode}/{name}"
        text = _without_unused(_included(name, mode, set(), mode))
        self.keys, self.args = _slots(text, "KEYS"), _slots(text, "ARGV")
        self.slots = {slot.name: slot for slot in (*self.keys, *self.args)}
        self._keys, self._args = _names(self.keys), _names(self.args)
        self.source = _without_unused(_MAKERS + _with_locals(text, self.keys, self.args))
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        returns = _RETURNS.search(text)
        self.reply = _REPLIES[returns[1]] if returns else object

    def call(self, *queues: Mapping[str, Argument], **given: Given) -> Call:
        """A call with slots as `given`; any other is that of the first queue, a list that of all.

        Raises:
            TypeError: a slot is not known, missing or of another kind, or lists differ in length.
        """
        lengths = set()
        for name, value in given.items():
            if name not in self.slots:
                raise TypeError(f"{self.name} takes no {name}")
            given[name] = self.slots[name].passed(value)
        first: Mapping[str, Argument] = queues[0] if queues else {}
        laid_out = []
        try:
            for single, lists in (self._keys, self._args):
                values: list[Any] = [given[n] if n in given else first[n] for n in single]
                for name in lists:
                    of_list: Any = given[name] if name in given else [q[name] for q in queues]
                    values.extend(of_list)
                    lengths.add(len(of_list))
                laid_out.append(values)
        except KeyError as error:
            raise TypeError(f"{self.name} needs {error.args[0]}") from error
        if len(lengths) > 1:
            raise TypeError(f"{self.name} takes lists of one length, not {sorted(lengths)}")
        return Call(self, *laid_out)


@cache
def script(mode: str, name: str) -> Script:
    """The script `name` of a queue mode: its own, else the one that all share."""
    return Script(mode, name)


def _included(name: str, mode: str, seen: set[Path], folder: str = "") -> str:
    """The text of a script or part with all that it includes; nothing where that was `seen`.

    A part is looked for beside the file that includes it, then where the mode has its own.
    """
    folders = (folder, mode, *OF_ALL_MODES, "parts") if "/" not in name else ("",)
    path = next(each for at in folders if (each := FOLDER / at / f"{name}.lua").exists())
    if path in seen:
        return ""
    seen.add(path)
    return _INCLUDE.sub(
        lambda line: _included(line[1], mode, seen, path.parent.name).rstrip(), path.read_text()
    )


def _slots(text: str, kind: str) -> list[Slot]:
    """Those that `text` declares and uses, single ones first; keys in the order of all keys."""
    found = {
        line[2]: Slot(line[2], line[4], line[3] is not None, _IN_PYTHON[line[4]])
        for line in _SLOT.finditer(text)
        if line[1] == kind and _is_used(line[2], text)
    }
    slots = list(found.values())
    if kind == "KEYS":
        slots.sort(key=lambda slot: _KEY_ORDER.get(slot.name, len(_KEY_ORDER)))
    return sorted(slots, key=lambda slot: slot.is_list)


def _names(slots: Sequence[Slot]) -> tuple[list[str], list[str]]:
    """Those of single slots, and those of lists."""
    names: tuple[list[str], list[str]] = ([], [])
    for slot in slots:
        names[slot.is_list].append(slot.name)
    return names


def _with_locals(text: str, keys: Sequence[Slot], args: Sequence[Slot]) -> str:
    """`text` with a local variable in the place of each slot's declaration."""
    lines = {}
    for array, of_array in (("KEYS", keys), ("ARGV", args)):
        lists = [slot for slot in of_array if slot.is_list]
        single = len(of_array) - len(lists)
        for place, slot in enumerate(of_array):
            made = _MADE_IN_LUA[slot.kind]
            value = f"{array}[{place + 1}]"
            if slot.is_list:
                size = f"(#{array} - {single}) / {len(lists)}"
                first = f"{single} + {place - single} * {size}"
                value = f"column({array}, {first}, {size}, {made or 'nil'})"
            elif made:
                value = f"{made}({value})"
            lines[slot.name] = f"local {slot.name} = {value}"

    return _SLOT.sub(lambda found: lines.pop(found[2], ""), text)


def _without_unused(text: str) -> str:
    """`text` without functions that nothing calls: a script uses few of those of its parts, and
    each would be made anew at every call."""
    for function in _FUNCTION.finditer(text):
        if not _is_used(function[1], text.replace(function[0], "")):
            return _without_unused(text.replace(function[0], ""))
    return text


def _is_used(name: str, text: str) -> bool:
    return re.search(rf"\b{name}\b", _COMMENT.sub("", text)) is not None
