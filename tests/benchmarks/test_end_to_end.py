"""What is made of the rounds, and how much processor a program used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.http_peers.catalog import HTTP_PEERS
from benchmarks.measures.end_to_end import BARE, CONSTANT, MAIN, QUEUE_MODES, Runs, figures_of
from benchmarks.report.budgets import held
from benchmarks.report.figures import Figure, Missing
from benchmarks.servers.processor_time import used_s

SPIN = "sum(range(10**7)); print('done', flush=True); input()"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN!r}])"


def _everything() -> dict[str, Runs]:
    labels = [BARE, CONSTANT, *(f"doneyet, {mode}" for mode in QUEUE_MODES)]
    labels += [peer.label for peer in HTTP_PEERS]
    return {label: Runs([1000.0], [10.0], [20.0], [500.0]) for label in labels}


def _by_name(found: list[Figure | Missing]) -> dict[str, Figure | Missing]:
    return {each.name: each for each in found}


def test_ratios_compare_runs_of_one_round() -> None:
    """A minute in which the machine was slow does not count."""
    runs = _everything()
    runs[MAIN].rate = [5000.0, 2500.0]
    runs["Flask + RQ"].rate = [500.0, 500.0]
    for label in set(runs) - {MAIN, "Flask + RQ"}:
        runs[label].rate = [1000.0, 1000.0]
    ratio = _by_name(figures_of(runs, {}))[f"{MAIN} / Flask + RQ"]
    assert isinstance(ratio, Figure)
    assert (ratio.runs, held(ratio)) == ([10, 5], True)


def test_the_tail_is_told_by_round() -> None:
    """p99 by p50 of the same round."""
    tail = _by_name(figures_of(_everything(), {}))[f"{MAIN}, p99 / p50"]
    assert isinstance(tail, Figure)
    assert (tail.runs, held(tail)) == ([2], True)


@pytest.mark.parametrize("gone", [MAIN, CONSTANT, BARE, "Flask + RQ"])
def test_what_failed_is_missing_and_the_others_are_there(gone: str) -> None:
    """One peer that cannot be installed does not cost an evening."""
    found = _by_name(figures_of(_everything(), {gone: "it ended\nlog"}))
    assert isinstance(found[gone], Missing)
    assert isinstance(found["doneyet, distributed"], Figure)


def test_processor_time_is_that_of_a_program_with_its_children() -> None:
    """A server's own process only watches the one that answers."""
    program = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    with program:
        before = used_s(program.pid)
        program.stdout.readline()
        assert used_s(program.pid) > before
        program.stdin.write(b"\n")
        program.stdin.flush()
        program.stdout.read()
