"""What is made of many clients' waits, and the texts that they send."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from benchmarks.asking import Answered, between, texts_per_s, waits_ms
from benchmarks.load import WrongAnswerError
from benchmarks.model_texts import BLOCK, texts, words_of

WORDS = [f"word{number}" for number in range(1000)]


def test_a_rate_does_not_depend_on_where_bursts_fall() -> None:
    """Eight clients, batches of four every half second: eight texts a second, however long."""
    bursts = [
        Answered(max(0.0, at / 2 - 1), at / 2, texts=1) for at in range(1, 40) for _ in range(4)
    ]
    for to_s in (6.1, 6.4, 6.6, 9.99):
        assert texts_per_s(between(bursts, 1.2, to_s), 8) == pytest.approx(8)


def test_arrays_count_all_their_texts() -> None:
    """Two clients with ten texts each, answered every two seconds."""
    assert texts_per_s([Answered(0, 2, 10), Answered(0, 2, 10)], 2) == pytest.approx(10)


def test_no_answer_in_time_is_no_rate() -> None:
    """Rather than a division by zero."""
    with pytest.raises(WrongAnswerError, match="measure for longer"):
        texts_per_s([], 8)


def test_only_what_is_answered_in_between_counts() -> None:
    """The start is empty and the end is not full."""
    answered = [Answered(0, at, 1) for at in (0.5, 1.0, 1.5, 2.0)]
    assert [each.at_s for each in between(answered, 1.0, 2.0)] == [1.0, 1.5]
    assert waits_ms(answered[:1]) == [500]


def test_texts_are_the_same_for_the_same_seed_and_differ_otherwise() -> None:
    """All contestants get the same ones, and doneyet knows none of them from before."""
    first, again, other = (list(islice(texts(WORDS, seed, 16, 16), 200)) for seed in (1, 1, 2))
    assert first == again
    assert len({*first, *other}) == 400
    assert {len(text.split()) for text in first} == {16}


def test_every_block_of_mixed_texts_takes_as_long() -> None:
    """The same lengths in another order, from the shortest to the longest."""
    stock = [len(text.split()) for text in islice(texts(WORDS, 1, 4, 200), 2 * BLOCK)]
    assert Counter(stock[:BLOCK]) == Counter(stock[BLOCK:])
    assert stock[:BLOCK] != stock[BLOCK:]
    assert (min(stock), max(stock)) == (4, 194)
    assert sum(length < 28 for length in stock) == BLOCK  # half of them below the middle


def test_words_are_whole_tokens() -> None:
    """Pieces, marks and short words would not stand for one token each."""
    assert words_of({"##ing": 1, "[CLS]": 2, "cat": 3, "house": 4, "42nd": 5, "apple": 6}) == [
        "apple",
        "house",
    ]
