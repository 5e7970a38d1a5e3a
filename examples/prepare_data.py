"""Splits a plain-text book into chapters: `python examples/prepare_data.py book.txt chapters.json`.

The chapters are written as a JSON array of objects with `title` and `context`, which
`/summarize_batch` takes as they are. A chapter begins at a line such as `CHAPTER I. The Period`,
`Chapter 12`, `BOOK THE SECOND` or `Part Two`; what stands before the first one is left out.
Headings without text between them, as in a table of contents, are none. The licence around the
books of Project Gutenberg is left out, too.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

LEAST_WORDS = 30
"""A chapter has at least so many words; fewer stand between the lines of a table of contents."""

_NUMBER = r"(?:the\s+)?(?:[ivxlcdm]+|\d+|[a-z]+)"
_HEADING = re.compile(
    rf"^\s*(?:chapter|book|part|section)\s+{_NUMBER}\b[.:\s\u2014-]*(.*)$", re.IGNORECASE
)
_GUTENBERG = re.compile(r"^\*\*\* ?(START|END) OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)
_MOST_TITLE = 100


def chapters(text: str) -> list[dict[str, str]]:
    """The chapters of a book, in order: `title` and `context`, lines of a paragraph joined."""
    found: list[dict[str, str]] = []
    titles: list[str] = []
    body: list[str] = []

    def end() -> None:
        nonlocal titles, body
        context = _paragraphs(body)
        if titles and len(context.split()) >= LEAST_WORDS:
            found.append({"title": " - ".join(titles), "context": context})
            titles = []
        else:
            # Too little for a chapter: a line of a table of contents, or a heading above another.
            titles = titles[-1:] if titles and _is_part(titles[-1]) else []
        body = []

    for line in _own_lines(text):
        if _is_heading(line):
            end()
            titles.append(" ".join(line.split()))
        else:
            body.append(line)
    end()
    return found


def _own_lines(text: str) -> list[str]:
    """The lines of the book itself."""
    lines = text.splitlines()
    marks = {
        match[1].upper(): at for at, line in enumerate(lines) if (match := _GUTENBERG.match(line))
    }
    return lines[marks.get("START", -1) + 1 : marks.get("END", len(lines))]


def _is_heading(line: str) -> bool:
    """A line that begins a chapter: the word, its number, and no more than a title after it."""
    match = _HEADING.match(line)
    if match is None or len(line.strip()) > _MOST_TITLE:
        return False
    title = match[1].strip()
    # In a sentence a small letter follows: "chapter one of my life".
    return not title or not title[0].islower()


def _is_part(title: str) -> bool:
    """Whether chapters may follow right below, as after `BOOK THE FIRST`."""
    return not title.lower().startswith("chapter")


def _paragraphs(lines: Sequence[str]) -> str:
    parts = re.split(r"\n\s*\n", "\n".join(lines).strip())
    return "\n\n".join(" ".join(part.split()) for part in parts if part.strip())


def main(argv: Sequence[str] | None = None) -> int:
    """Reads the book, writes its chapters, says how many; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("book", type=Path, help="a text file in UTF-8")
    parser.add_argument("chapters", type=Path, help="where the JSON goes")
    arguments = parser.parse_args(argv)
    try:
        text = arguments.book.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        print(f"{arguments.book} cannot be read: {error}", file=sys.stderr)
        return 1
    found = chapters(text)
    if not found:
        print(
            f"{arguments.book} has no chapters: no line like 'CHAPTER I' with {LEAST_WORDS} words "
            "of text below it",
            file=sys.stderr,
        )
        return 1
    try:
        arguments.chapters.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    except OSError as error:
        print(f"{arguments.chapters} cannot be written: {error}", file=sys.stderr)
        return 1
    words = sum(len(chapter["context"].split()) for chapter in found)
    print(f"{len(found)} chapters, {words:,} words -> {arguments.chapters}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
