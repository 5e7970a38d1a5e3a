"""Items of files: arrays and lines, whole and broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doneyet.task_types.batch.items import BrokenFileError, Item, count_items, read_items

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Not `characters` alone: brackets, quotes and commas are what a reader may trip over.
    | st.text(st.sampled_from('[]{}",: \\a\n')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for one input after another."""
    return tmp_path_factory.mktemp("items") / "file"


def read(path: Path, text: str | bytes) -> list[Item]:
    """The items of a file with that text, counted, too."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    items = list(read_items(path))
    assert count_items(path) == len(items)
    assert [item.number for item in items] == list(range(1, len(items) + 1))
    return items


@given(values=st.lists(VALUES), indent=st.none() | st.integers(0, 3))
def test_arrays_of_any_form(path: Path, values: list[Any], indent: int | None) -> None:
    """Element by element, whatever the spaces between them and the brackets in them."""
    items = read(path, "\n " + json.dumps(values, indent=indent) + " \n")
    assert [item.value for item in items] == values
    assert all(item.line is None and item.fault is None for item in items)


@given(values=st.lists(VALUES.filter(lambda value: not isinstance(value, list)), min_size=1))
def test_lines_of_any_kind(path: Path, values: list[Any]) -> None:
    """Each with its number, empty lines counted; the file may begin with a byte order mark."""
    text = "\ufeff" + "\r\n\n".join(json.dumps(value) for value in values)
    items = read(path, text)
    assert [item.value for item in items] == values
    assert [item.line for item in items] == list(range(1, 2 * len(values), 2))


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ('{"a": 1, "a": 2}', "is given twice"),
        ("1e999", "too large for a double"),
        ("9" * 5000, "5000 digits"),
        ('"\\ud800"', "half a surrogate pair"),
        ("NaN", "NaN is not JSON"),
        ("[" * 101 + "]" * 101, "nested deeper than 100"),
    ],
)
@pytest.mark.parametrize("lines", [True, False])
def test_what_http_refuses_is_refused_of_files(
    path: Path, part: str, fault: str, lines: bool
) -> None:
    """It fails that item alone, in arrays, too."""
    text = f'{{}}\n{{"x": {part}}}\n2' if lines else f'[{{}}, {{"x": {part}}}, 2]'
    first, bad, last = read(path, text)
    assert (first.value, last.value) == ({}, 2)
    assert fault in str(bad.fault)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"[1,\n 2", "line 2, column 3"),
        (b"[1, 2,]", "column 7"),
        (b"[1 2]", "column 4"),
        (b"[", "column 2"),
        (b"[,]", "column 2"),
        (b"[1]\n[2]", "line 2, column 1"),
        (b"[{'a': 1}]", "column 3"),
        (b'["\xff"]', "byte 2"),
        (b"[" * 200_000, "nested deeper"),
    ],
)
def test_where_an_array_breaks(path: Path, text: bytes, place: str) -> None:
    """By line and column."""
    path.write_bytes(text)
    with pytest.raises(BrokenFileError, match=place):
        count_items(path)


@pytest.mark.parametrize("text", ["", "\n \n", "[]", " [ \n ]\n", "\ufeff[]"])
def test_nothing(path: Path, text: str) -> None:
    """Is no item."""
    assert read(path, text) == []
