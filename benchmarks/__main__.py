"""`python -m benchmarks [NAME ...]`: measures all, or those named, and prints a table.

All of them together also write docs/explanation/benchmarks.md; a part of them, with --section, its
sections of it. Exits with 1 where a budget does not
hold.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from importlib import import_module
from inspect import getdoc
from pathlib import Path

from benchmarks.bench import Bench, bench
from benchmarks.report.document import broken, markdown, table, with_section
from benchmarks.report.figures import Figure, Missing
from benchmarks.report.machine import busy, machine

TITLES = {
    "drain": "Draining no-op tasks",
    "poll": "Polling a finished task",
    "array": "Polling by array",
    "key_check": "What API keys cost",
    "idle": "Submit to answer on an idle system",
    "end_to_end": "End to end, 64 clients",
    "claim_cost": "What a claim costs as the queue grows",
    "ttl_cost": "What calls cost as the input ttl grows",
    "newcomer": "A newcomer behind another client's tasks",
    "clients": "What calls cost as clients grow",
    "memory": "Redis memory per waiting task",
    "footprint": "What a deployment takes of its Redis",
    "batching": "A batching model, saturated",
    "recovery": "After SIGKILL",
}
DOCUMENT = Path(__file__).parent.parent / "docs" / "explanation" / "benchmarks.md"


def main() -> int:
    """Measures; the exit code says whether all budgets hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TITLES))
    parser.add_argument("--no-document", action="store_true", help="do not write the document")
    parser.add_argument(
        "--section",
        action="store_true",
        help="write the sections of the benchmarks that are named into the document",
    )
    parser.add_argument(
        "--device",
        default="auto",
        choices=("auto", "cpu", "cuda"),
        help="where `batching` computes its model (auto: on a GPU where there is one)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="run `batching`, `end_to_end`, `key_check` in short, to see that they work; implies "
        "--no-document",
    )
    arguments = parser.parse_args()
    names = list(dict.fromkeys(arguments.names)) or list(TITLES)
    if unknown := [name for name in names if name not in TITLES]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(TITLES)}")
    load_before = busy()
    with bench(quick=arguments.quick, device=arguments.device) as shared:
        about = {**machine(shared.server), "Load at the start": load_before}
        sections = {TITLES[name]: measure(shared, name) for name in names}
    everything = [figure for _, figures in sections.values() for figure in figures]
    print(table(everything))
    keep = not (arguments.no_document or arguments.quick)
    if names == list(TITLES) and keep:
        about = {"Date": dt.datetime.now(dt.UTC).date().isoformat(), **about}
        DOCUMENT.write_text(markdown(sections, about, "make bench"))
        print(f"\nWritten to {DOCUMENT.relative_to(DOCUMENT.parent.parent)}")
    elif arguments.section and keep:
        when = (
            f"Measured by itself on {dt.datetime.now(dt.UTC).date()}; load before: {load_before}."
        )
        for title, section in sections.items():
            written = with_section(
                DOCUMENT.read_text(), title, section, when, list(TITLES.values())
            )
            DOCUMENT.write_text(written)
    failures = broken(everything)
    if failures:
        print("\nBudgets that do not hold:", *failures, sep="\n  ")
    return 1 if failures else 0


def measure(shared: Bench, name: str) -> tuple[str, list[Figure | Missing]]:
    """How it is measured (its module's docstring), and what was found."""
    print(f"{TITLES[name]} ...", file=sys.stderr, flush=True)
    module = import_module(f"benchmarks.measures.{name}")
    return getdoc(module) or "", module.run(shared)


if __name__ == "__main__":
    sys.exit(main())
