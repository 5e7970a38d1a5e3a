"""The entries of tests/mutants can be applied, and name tests that exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.mutants.entries import ROOT, Mutant, read_mutants

MUTANTS = read_mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.area}: {mutant.rule}")
def test_entry(mutant: Mutant) -> None:
    """What is to be replaced stands once in its file, and each test that must notice exists."""
    assert (ROOT / mutant.file).read_text().count(mutant.find) == 1
    assert mutant.find != mutant.replace
    assert mutant.tests
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).exists(), path
        for part in filter(None, name.split("[")[0].split("::")):
            text = (ROOT / path).read_text()
            assert re.search(rf"^ *(def|class) {part}\b", text, re.MULTILINE), test


def test_parameters_are_those_of_the_tests() -> None:
    """Each test is found under the whole name that an entry has, brackets included."""
    named = sorted({test for mutant in MUTANTS for test in mutant.tests})
    command = [sys.executable, "-m", "pytest", "--co", "-q", "-n", "0", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(  # with OpenTelemetry, which programs that tests start do without
        [*command, *named], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-2000:]


def test_rules_are_told_apart() -> None:
    """No rule is listed twice in one area."""
    rules = [(mutant.area, mutant.rule) for mutant in MUTANTS]
    assert len(rules) == len(set(rules))
