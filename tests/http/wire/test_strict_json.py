"""What JSON is, and what is only nearly so."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_server.wire.json_body import MOST_DEPTH, parse
from http_server.wire.problem import Problem

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
        (b'{"a": ' + b"9" * 5000 + b"}", 422, "more than 4300 digits (line 1, column 4308)"),
        (b"-1e999", 422, "too large for a double"),
        (b"1" * 310 + b".5", 422, "too large for a double"),
        (b"[0.1, " + b"9" * 250 + b"e99]", 422, "too large for a double"),
        (b"[1E+0999]", 422, "too large for a double"),
        (b'{"a": "\\ud800\\u0041"}', 422, "surrogate"),
        (b"[1,\n -Infinity]", 400, "-Infinity is not JSON (line 2"),
        (b'{"a": 1, "\\u0061": 2}', 400, '"a" is given twice'),
        (b'{"' + b"k" * 999 + b'": 1, "' + b"k" * 999 + b'": 2}', 400, 'kkk..." is given twice'),
        (b'{"a": 1,}', 400, "trailing comma (line 1, column 9)"),
        (b"[01]", 400, "invalid number"),
        (b'"a\nb"', 400, "control character"),
        (b'"\xed\xa0\x80"', 400, "not UTF-8 (byte 1)"),
        (b"\xff\xfe{\x00}\x00", 400, "UTF-16"),
        (b'{"a": "\\ud800"}', 422, "surrogate"),
        (b'{"\\udfff": 1}', 422, "surrogate"),
        (b'{"a": "\xff"}', 400, "not UTF-8 (byte 7)"),
        (b"\xef\xbb\xbf{}", 400, "byte order mark"),
        (b'{"a": 1}\x00', 400, "line 1"),
        (b"[" * 200_000, 400, "nested deeper"),
        (b'{"a":' * 201 + b"1" + b"}" * 201, 400, "nested deeper"),
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


@pytest.mark.parametrize("number", ["-0.0", "5e-400", "1e308", "0." + "1" * 1000, "1e5"])
def test_floats_are_read_as_python_reads_them(number: str) -> None:
    """The sign of zero, rounding and underflow included."""
    assert repr(parse(number.encode())) == repr(float(number))


HALF = 4 * 1024 * 1024
LARGE_BODIES = {
    "names, the last one twice": b"{%b}" % b"".join(b'"a%d":1,' % n for n in range(300_000))[:-1],
    "a name twice": b'{%b"x":1,"x":1}' % b"".join(b'"a%d":1,' % n for n in range(300_000)),
    "brackets": b"[" * HALF,
    "deep arrays": b"[%b1]" % ((b"[" * 150 + b"]" * 150 + b",") * (HALF // 301)),
    "long integers": b"[%b1]" % ((b"9" * 4300 + b",") * (HALF // 4301)),
    "one long integer": b"9" * HALF,
    "one long float": b"0." + b"1" * HALF,
    "exponents in a string": b'"%b"' % (b"e" * HALF),
    "escapes": b'"%b"' % (b"\\u00e9" * (HALF // 6)),
    "nearly two hundred digits": b'"%b"' % ((b"9" * 199 + b" ") * (HALF // 200)),
    "quotes": b'"' * HALF,
    "backslashes": b'"' + b"\\" * HALF,
    "numbers": b"[%b1]" % (b"1," * (HALF // 2)),
    "lines": b"\n" * HALF + b"x",
}


@pytest.mark.parametrize("kind", LARGE_BODIES)
def test_reading_takes_time_in_proportion_to_the_body(kind: str) -> None:
    """No body of 4 MiB is read, or refused, in more processor time than a few seconds; a quadratic
    reader takes minutes."""
    began_s = time.process_time()
    with contextlib.suppress(Problem):
        parse(LARGE_BODIES[kind])
    assert time.process_time() - began_s < 4
