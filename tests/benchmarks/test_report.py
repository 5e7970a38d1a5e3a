"""The table and the document."""

from __future__ import annotations

from benchmarks.report.document import broken, markdown, table, with_section
from benchmarks.report.figures import Figure, Missing

GOOD = Figure("doneyet", [41_000, 45_000, 43_000], "tasks/s", "drain")
BAD = Figure("doneyet", [30_000], "tasks/s", "drain")
GONE = Missing("BullMQ", "node and npm are not on PATH\nmore", "drain by BullMQ")


def test_a_budget_that_does_not_hold_is_told_with_its_figure() -> None:
    """Whoever reads the line knows by how much."""
    assert broken([GOOD, BAD]) == ["doneyet: 30,000 tasks/s, budget ≥ 40,000 tasks/s"]


def test_what_could_not_be_measured_counts_as_not_held() -> None:
    """A missing peer is never silently dropped."""
    assert broken([GONE]) == ["BullMQ: not measured (node and npm are not on PATH)"]


def test_the_table_shows_figure_runs_budget_and_verdict() -> None:
    """One line for each figure."""
    head, good, bad, gone = table([GOOD, BAD, GONE]).splitlines()
    assert head.split() == ["what", "figure", "runs", "budget"]
    assert "43,000 tasks/s" in good
    assert "41,000 to 45,000, n=3" in good
    assert good.endswith("held")
    assert bad.endswith("NOT HELD")
    assert "not measured" in gone


def test_the_document_says_machine_command_and_verdict() -> None:
    """All that a reader needs in order to repeat it."""
    text = markdown({"Drain": ("How.", [GOOD])}, {"Processor": "some"}, "make bench")
    assert "`make bench`" in text
    assert "- Processor: some" in text
    assert "Every budget holds." in text
    assert "## Drain\n\nHow.\n\n| what |" in text


def test_the_document_lists_budgets_that_do_not_hold() -> None:
    """At its top, not in a row somewhere."""
    text = markdown({"Drain": ("How.", [BAD])}, {}, "make bench")
    assert text.index("do not hold") < text.index("## The machine")


def test_a_section_is_replaced_and_the_verdict_follows() -> None:
    """The other sections stay as they are; whoever reads it learns that it is of another day."""
    sections = {"Drain": ("How.", [GOOD]), "Other": ("How too.", [BAD])}
    before = markdown(sections, {"Processor": "some"}, "make bench")
    better = with_section(before, "Other", ("How else.", [GOOD]), "On a day.", ["Drain", "Other"])
    assert "Every budget holds." in better
    assert "## Other\n\nHow else.\n\nOn a day.\n\n| what |" in better
    assert before.partition("## Drain")[2].partition("## Other")[0] in better
    again = with_section(better, "Other", ("How too.", [BAD, GONE]), "", ["Drain", "Other"])
    assert "- doneyet: 30,000 tasks/s, budget ≥ 40,000 tasks/s\n" in again
    assert "- BullMQ: not measured (node and npm are not on PATH)\n" in again


def test_a_new_section_stands_where_its_benchmark_is_run() -> None:
    """After the machine, in the order of the benchmarks."""
    before = markdown({"B": ("How.", [GOOD])}, {"Processor": "some"}, "make bench")
    both = with_section(before, "A", ("How.", [GOOD]), "On a day.", ["A", "B"])
    assert both.index("## The machine") < both.index("## A") < both.index("## B")
    assert both == with_section(both, "A", ("How.", [GOOD]), "On a day.", ["A", "B"])
