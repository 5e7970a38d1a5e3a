"""Where sentences begin and end."""

# ruff: noqa: RUF001 (full stops of other scripts are what is tested)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doneyet.task_types.models.engines.sentences.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four…", ["One.", "Two!", "Three?", "Four…"]),
        ("Dr. Smith met J. R. Ewing at 5 p.m. on Monday.", None),
        ("It is 3.5 dollars, i.e. little. U.S. troops came.", ["It is 3.5 dollars, i.e. little.",
         "U.S. troops came."]),
        ('"Stop!" he cried. "No." She left... and came back.', ['"Stop!" he cried.', '"No."',
         "She left... and came back."]),
        ("A heading\n\nA text that\nwraps. The end", ["A heading", "A text that\nwraps.",
         "The end"]),
        ("这是。那是！“好。”完", ["这是。", "那是！", "“好。”", "完"]),
        ("He and I. Then we left.", ["He and I.", "Then we left."]),
        ("(It rained.) We stayed in.", ["(It rained.)", "We stayed in."]),
        ("", []),
        (" \n\n \t", []),
    ],
)  # fmt: skip
def test_sentences(text: str, sentences: list[str] | None) -> None:
    """Abbreviations, initials, numbers, quotations and headings; None: one sentence."""
    assert [each.text for each in split_sentences(text)] == (
        [text] if sentences is None else sentences
    )


@given(st.text(alphabet="aB.!? \n\"'()。…é1", max_size=80) | st.text(max_size=60))
def test_nothing_is_lost(text: str) -> None:
    """Sentences stand in order, with nothing but space between them."""
    end = 0
    for sentence in split_sentences(text):
        assert text[sentence.start : sentence.end] == sentence.text == sentence.text.strip() != ""
        assert not text[end : sentence.start].strip()
        end = sentence.end
    assert not text[end:].strip()
