"""`make demo`: twenty random numbers, asked for until all are factorized."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import flint

from doneyet.local.demo import LARGEST, Lines, as_line
from tests.local.processes import marked, new_mark

LINE = re.compile(r" *(\d+) = ((?:\d+\^\d+ ?)+)")


def test_the_demo_ends_with_twenty_right_factorizations(tmp_path: Path) -> None:
    """Exit code 0, prime factors whose product is the number, nothing left running or lying."""
    mark = new_mark()
    ended = subprocess.run(
        [sys.executable, "-m", "doneyet.local", "demo"],
        env={**os.environ, **mark, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.rstrip("\n").split("\n")
    last_round = lines[-20:]
    assert len(lines) % 21 == 20  # rounds of twenty, an empty line between two
    for line in last_round:
        match = LINE.fullmatch(line)
        assert match is not None, line
        product = 1
        for power in match[2].split():
            prime, exponent = map(int, power.split("^"))
            assert flint.fmpz(prime).is_prime()
            product *= prime**exponent
        assert product == int(match[1])
        assert 2 <= product <= LARGEST
    assert marked(mark) == []
    assert list(tmp_path.iterdir()) == []


def test_lines_are_those_of_the_polling_example() -> None:
    """The number right-aligned in seven places; three dots until it is done."""
    done = {"number": 408216, "done": True, "factorization_str": "2^3 3^1 73^1 233^1"}
    assert as_line(done) == " 408216 = 2^3 3^1 73^1 233^1"
    assert as_line({"number": 7, "done": False}) == "      7 = ..."
    failed = {"number": 7, "done": True, "error": {"detail": "no luck"}}
    assert as_line(failed) == "      7 : no luck"


def test_rounds_are_set_apart(capsys: object) -> None:
    """An empty line between two rounds, none at the ends."""
    import io
    from contextlib import redirect_stdout

    printed = io.StringIO()
    with redirect_stdout(printed):
        lines = Lines()
        for _ in range(2):
            lines.show([{"number": 7, "done": False}])
    assert printed.getvalue() == "      7 = ...\n\n      7 = ...\n"
