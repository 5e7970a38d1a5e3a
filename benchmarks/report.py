"""The table that is printed, and docs/explanation/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.budgets import BUDGETS, held
from benchmarks.figures import Figure, Missing, shown

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
    failures = broken(everything)
    verdict = "Every budget holds."
    if failures:
        verdict = "These budgets do not hold here:\n\n" + _list(failures)
    parts = [
        "# Benchmarks",
        INTRODUCTION.format(command=command),
        verdict,
        "## The machine",
        _list([f"{label}: {value}" for label, value in about.items()]),
    ]
    for title, (how, figures) in sections.items():
        parts += [f"## {title}", how, _markdown_table(figures)]
    return "\n\n".join(parts) + "\n"


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
