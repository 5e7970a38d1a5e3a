"""What JSON is, and what is only nearly so."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_server.problem import Problem
from http_server.strict_json import parse
from tasks.strict_json import MOST_DEPTH

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(values)
def test_all_json_is_read(value: object) -> None:
    """What `json.dumps` writes is read back, escaped or not."""
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_problem(raw: bytes) -> None:
    """Junk never raises anything but a problem."""
    problem = None
    try:
        parse(raw)
    except Problem as raised:
        problem = raised
    assert problem is None or problem.status in (400, 422)


@pytest.mark.parametrize(
    ("raw", "status", "detail"),
    [
        (b"", 400, "the body is empty"),
        (b"  ", 400, "the body is empty"),
        (b'{"number": 1', 400, "line 1, column"),
        (b"{'number': 1}", 400, "line 1"),
        (b'{"a": 1, "b": {"x": 1, "x": 2}}', 400, '"x" is given twice'),
        (b'{"a": NaN}', 400, "NaN is not JSON"),
        (b"[Infinity]", 400, "Infinity is not JSON"),
        (b"[-Infinity]", 400, "-Infinity is not JSON"),
        (b'{"a": 1e400}', 422, "too large for a double"),
        (b'{"a": ' + b"9" * 5000 + b"}", 422, "5000 digits"),
        (b'{"a": "\\ud800"}', 422, "surrogate"),
        (b'{"\\udfff": 1}', 422, "surrogate"),
        (b'{"a": "\xff"}', 400, "not UTF-8 (byte 7)"),
        (b"\xef\xbb\xbf{}", 400, "line 1"),
        (b'{"a": 1}\x00', 400, "line 1"),
        (b"[" * 200_000, 400, "nested deeper"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, 400, "nested deeper"),
    ],
)
def test_what_is_not_json_is_told(raw: bytes, status: int, detail: str) -> None:
    """Each kind of junk has a status and a sentence."""
    with pytest.raises(Problem) as caught:
        parse(raw)
    assert caught.value.status == status
    assert detail in caught.value.detail


def test_depth_counts_nesting_and_not_brackets() -> None:
    """Brackets side by side or in strings are no depth."""
    wide = json.dumps([[{"a": "[[[{{{"}] for _ in range(MOST_DEPTH)])
    assert len(parse(wide.encode())) == MOST_DEPTH
    deepest = b"[" * MOST_DEPTH + b"]" * MOST_DEPTH
    assert parse(deepest) is not None


def test_whole_surrogate_pairs_are_characters() -> None:
    """An escaped pair is one character."""
    assert parse(b'"\\ud83d\\ude00"') == "😀"
