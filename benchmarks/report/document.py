"""The table that is printed, and docs/explanation/benchmarks.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from benchmarks.report.budgets import BUDGETS, held
from benchmarks.report.figures import Figure, Missing, shown

INTRODUCTION = """\
Written by `{command}`: measured, not edited. A figure is the median of its runs, which stand beside
it from lowest to highest. A ratio is taken between runs that followed each other."""

HEAD = ("what", "figure", "runs", "budget", "")


def broken(figures: Sequence[Figure | Missing]) -> list[str]:
    """A line for each budget that does not hold, or is not known to hold."""
    lines = []
    for figure in figures:
        if isinstance(figure, Missing):
            if figure.budget:
                lines.append(f"{figure.name}: not measured ({figure.why.splitlines()[0]})")
        elif held(figure) is False:
            found, limit = shown(figure.value, figure.unit), BUDGETS[figure.budget]
            lines.append(f"{figure.name}: {found}, budget {limit}")
    return lines


def table(figures: Sequence[Figure | Missing]) -> str:
    """For a terminal."""
    rows = [HEAD, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def markdown(
    sections: Mapping[str, tuple[str, Sequence[Figure | Missing]]],
    about: Mapping[str, str],
    command: str,
) -> str:
    """The whole document; `sections` maps a title to how it was measured and what was found."""
    everything = [figure for _, figures in sections.values() for figure in figures]
    parts = [
        "# Benchmarks",
        INTRODUCTION.format(command=command),
        _verdict(broken(everything)),
        "## The machine",
        _list([f"{label}: {value}" for label, value in about.items()]),
    ]
    parts += [_section(title, *section) for title, section in sections.items()]
    return "\n\n".join(parts) + "\n"


def with_section(
    document: str,
    title: str,
    section: tuple[str, Sequence[Figure | Missing]],
    when: str,
    titles: Sequence[str],
) -> str:
    """`document` with this section anew, where `titles` has it, and a verdict about all of it.

    `when` says when it was measured, since the others were at another time.
    """
    how, figures = section
    head, *others = re.split(r"^## ", document.rstrip("\n"), flags=re.MULTILINE)
    sections = {other.partition("\n")[0]: other.rstrip("\n") for other in others}
    sections[title] = _section(title, f"{how}\n\n{when}", figures).removeprefix("## ")
    order = [name for name in sections if name not in titles]
    order += [name for name in titles if name in sections]
    body = "\n\n".join(f"## {sections[name]}" for name in order)
    failures = []
    for name, figure, runs, limit, verdict in _rows(body):
        if verdict == "NOT HELD":
            failures.append(f"{name}: {figure}, budget {limit}")
        elif verdict == "?" and limit:
            failures.append(f"{name}: {figure} ({runs})")
    introduction = head.rstrip("\n").split("\n\n")[:2]  # then comes the verdict
    return "\n\n".join([*introduction, _verdict(failures), body]) + "\n"


def _rows(document: str) -> list[tuple[str, ...]]:
    lines = [line for line in document.splitlines() if line.startswith("| ")]
    cells = [tuple(line.strip("| ").split(" | ")) for line in lines]
    return [row for row in cells if len(row) == len(HEAD)]


def _verdict(failures: Sequence[str]) -> str:
    if failures:
        return "These budgets do not hold here:\n\n" + _list(failures)
    return "Every budget holds."


def _section(title: str, how: str, figures: Sequence[Figure | Missing]) -> str:
    return "\n\n".join([f"## {title}", how, _markdown_table(figures)])


def _row(figure: Figure | Missing) -> tuple[str, str, str, str, str]:
    if isinstance(figure, Missing):
        limit = str(BUDGETS[figure.budget]) if figure.budget else ""
        return (figure.name, "not measured", figure.why.splitlines()[0], limit, "?")
    runs = ""
    if len(figure.runs) > 1:
        runs = f"{shown(min(figure.runs))} to {shown(max(figure.runs))}, n={len(figure.runs)}"
    name = f"{figure.name} ({figure.note})" if figure.note else figure.name
    limit = str(BUDGETS[figure.budget]) if figure.budget else ""
    verdict = {None: "", True: "held", False: "NOT HELD"}[held(figure)]
    return (name, shown(figure.value, figure.unit), runs, limit, verdict)


def _markdown_table(figures: Sequence[Figure | Missing]) -> str:
    lines = ["| " + " | ".join(HEAD) + " |", "|---|--:|--:|--:|---|"]
    lines += ["| " + " | ".join(_row(figure)) + " |" for figure in figures]
    return "\n".join(lines)


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
