"""Splitting a text into its sentences, by rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
"""An empty line ends a sentence, as after a heading."""

_END = re.compile(
    r"""(?: [.!?\u2026]+ ["'\u201d\u2019\u00bb)\]]* (?=\s) )   # an end, closing marks, then space
      | [\u3002\uff01\uff1f]+ [\u300d\u300f\u201d\uff09]*      # or an end in Chinese or Japanese
    """,
    re.VERBOSE,
)

_ABBREVIATIONS = frozenset(
    re.findall(
        r"\S+",
        """
        mr mrs ms dr prof rev hon st mt sr jr gen col capt lt sgt gov sen rep messrs mme mlle
        no nos vol vols fig figs eq sec ch art vs al etc cf approx ca e.g i.e inc ltd co corp dept
        est jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun
        u.s u.k a.m p.m
        """,
    )
)
"""What a full stop follows without ending a sentence, in small letters."""


class Sentence(NamedTuple):
    """A sentence: `text` is `start` to `end` of the text that it is in."""

    start: int
    end: int
    text: str


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of `text` in order, without the space around them.

    Nothing but space lies between them. A full stop after an abbreviation, an initial, or before a
    small letter ends none.
    """
    found: list[Sentence] = []
    start = 0
    for paragraph in _PARAGRAPH.finditer(text):
        found.extend(_in_paragraph(text, start, paragraph.start()))
        start = paragraph.end()
    found.extend(_in_paragraph(text, start, len(text)))
    return found


def _in_paragraph(text: str, start: int, end: int) -> Iterator[Sentence]:
    for match in _END.finditer(text, start, end):
        if match.start() >= start and _ends(text, start, match):
            yield from _trimmed(text, start, match.end())
            start = match.end()
    yield from _trimmed(text, start, end)


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the mark that was matched ends the sentence that begins at `start`."""
    if match[0][0] in "\u3002\uff01\uff1f":
        return True
    if match[0] != ".":  # several, or another mark, or quotation marks after it
        return not _goes_on(text, match)
    word = re.search(r"\S*$", text[max(start, match.start() - 20) : match.start()])
    last = (word[0] if word else "").strip("\"'(\u201c\u2018[").lower()
    initial = len(last) == 1 and last.isalpha() and last != "i"
    return not (last in _ABBREVIATIONS or initial or _goes_on(text, match))


def _goes_on(text: str, match: re.Match[str]) -> bool:
    """Whether a small letter follows, as in `"Stop!" he cried.`"""
    following = re.compile(r"\s*[\"'\u201c\u2018(\[]*(\w)").match(text, match.end())
    return following is not None and following[1].islower()


def _trimmed(text: str, start: int, end: int) -> Iterator[Sentence]:
    """The part of `text` without space around it, unless it is nothing but space."""
    part = text[start:end]
    stripped = part.strip()
    if stripped:
        first = start + len(part) - len(part.lstrip())
        yield Sentence(first, first + len(stripped), stripped)
