"""What the docs show is what happens: their commands and programs, run against a real system."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from doneyet.local.system import System
from tests.docs.conftest import ADDING, CLIENT, README, REGRESSION, ROOT, TESTING, TUTORIAL
from tests.docs.markdown import Block, blocks
from tests.helpers import need

PLUGIN = ["-p", "doneyet.testing.plugin"]
"""What a wheel's entry point is to an environment that it is installed in."""

SYNCHRONOUS = "Without Redis"
"""The heading in README.md below which the synchronous queue mode is shown."""


def run(command: list[str], block: Block, directory: Path) -> str:
    """What the block's command prints."""
    environ = {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(directory))),
    }
    done = subprocess.run(
        command, env=environ, cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"line {block.line}: {done.stderr}\n{done.stdout}"
    return done.stdout


def here(text: str, url: str) -> str:
    """`text` with `url` in the place of the one that is shown."""
    return text.replace("http://localhost:8080", url)


def commands(path: Path) -> list[tuple[Block, Block | None]]:
    """The document's shell blocks, each with the JSON that it is said to print."""
    found = blocks(path)
    return [
        (block, following if following and following.language == "json" else None)
        for block, following in zip_longest(found, found[1:])
        if block.language == "sh"
    ]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", [README, TUTORIAL, ADDING, REGRESSION], ids=lambda path: path.name)
def test_commands_print_what_is_shown(
    path: Path, system: System, synchronous_system: System, tutorial_url: str, modules: Path
) -> None:
    """In the order of the document; all that is shown but the ever changing `load` is compared.

    Where a pending answer is shown and somebody else has asked before, only what it says of the
    task itself.
    """
    need("curl")
    shown = commands(path)
    assert shown
    for block, expected in shown:
        url = synchronous_system.url if block.heading == SYNCHRONOUS else system.url
        text = here(block.text, tutorial_url if path == TUTORIAL else url)
        printed = run(["bash", "-euc", text], block, modules)
        if expected is not None:
            got, wanted = json.loads(printed), json.loads(expected.text)
            if got.get("done") and wanted.get("done") is False:
                assert (got["number"], got["id"]) == (wanted["number"], wanted["id"])
            else:
                assert comparable(got) == comparable(wanted)


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer object but for what depends on when it was asked, and for rounding."""
    return {name: rounded(value) for name, value in answer.items() if name != "load"}


def rounded(value: Any) -> Any:
    """`value`, its numbers rounded."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 9) if isinstance(value, float) else value


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "path", [README, TUTORIAL, ADDING, CLIENT, TESTING], ids=lambda path: path.name
)
def test_programs_run(path: Path, system: System, modules: Path) -> None:
    """Every Python block is a whole program, or a test that passes; the one with twenty numbers
    prints twenty answers."""
    shown = [block for block in blocks(path) if block.language == "python"]
    assert shown
    for block in shown:
        output = run_program(block, system, modules)
        if "range(20)" in block.text:
            last = output.strip().splitlines()[-20:]
            assert all(re.fullmatch(r" *\d+ = \d+\^\d+( \d+\^\d+)*", line) for line in last)


def run_program(block: Block, system: System, directory: Path) -> str:
    """What the block prints, run as a file, or by pytest where it defines a test."""
    program = directory / "program.py"
    program.write_text(here(block.text, system.url))
    pytests = (
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGIN]
        if "def test_" in block.text
        else []
    )
    return run([sys.executable, *pytests, str(program)], block, directory)


def test_the_librarys_answers_are_right(system: System, modules: Path) -> None:
    """The client example counts the primes below 1000, of which there are 168."""
    (block,) = [one for one in blocks(README) if "client.map(" in one.text]
    printed = run_program(block, system, modules)
    assert printed.splitlines() == ["2^3 3^1 73^1 233^1", "168 primes"]


def test_mapping_a_file(system: System, modules: Path) -> None:
    """The command line example writes one answer a line."""
    (block,) = [one for one in blocks(README) if "numbers.jsonl" in one.text]
    run(["bash", "-euc", here(block.text, system.url)], block, modules)
    lines = (modules / "answers.jsonl").read_text().splitlines()
    assert [json.loads(line)["factorization_str"] for line in lines] == ["2^1", "3^1", "2^2"]
