"""`examples/prepare_data.py` finds the chapters of a book."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from examples.prepare_data import chapters, main

TEXT = "It was a day like any other, and yet nobody in the village would forget it. " * 3

BOOK = f"""\
The Project Gutenberg eBook of A Village

*** START OF THE PROJECT GUTENBERG EBOOK A VILLAGE ***

CONTENTS

BOOK THE FIRST. Before
CHAPTER I. The Day
CHAPTER II. The Night
BOOK THE SECOND. After
CHAPTER I. The Morning

BOOK THE FIRST. Before

CHAPTER I.
The Day

{TEXT}

Chapter one of my life was over.
It began
in two lines.

CHAPTER II. The Night

{TEXT}

BOOK THE SECOND. After

Chapter 3: The Morning

{TEXT}

*** END OF THE PROJECT GUTENBERG EBOOK A VILLAGE ***

CHAPTER IX. Licence. {TEXT}
"""


def test_chapters_of_a_book() -> None:
    """Each with the part that it begins; the table of contents and the licence are left out."""
    found = chapters(BOOK)
    assert [chapter["title"] for chapter in found] == [
        "BOOK THE FIRST. Before - CHAPTER I.",
        "CHAPTER II. The Night",
        "BOOK THE SECOND. After - Chapter 3: The Morning",
    ]
    assert found[0]["context"].startswith("The Day\n\nIt was a day")
    assert found[0]["context"].endswith("Chapter one of my life was over. It began in two lines.")
    assert "Licence" not in str(found)


def test_a_file_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the form that /summarize_batch takes."""
    (tmp_path / "book.txt").write_text(BOOK)
    assert main([str(tmp_path / "book.txt"), str(tmp_path / "chapters.json")]) == 0
    assert "3 chapters" in capsys.readouterr().out
    written = json.loads((tmp_path / "chapters.json").read_text())
    assert [set(chapter) for chapter in written] == [{"title", "context"}] * 3


def test_what_is_no_book(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Says what is missing, and writes nothing."""
    (tmp_path / "poem.txt").write_text("Roses are red.")
    assert main([str(tmp_path / "poem.txt"), str(tmp_path / "chapters.json")]) == 1
    assert "no chapters" in capsys.readouterr().err
    assert main([str(tmp_path / "nothing.txt"), str(tmp_path / "chapters.json")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "chapters.json").exists()
