"""What is made of many clients' waits, and the texts that they send."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, islice

import pytest

from benchmarks.clients import asking
from benchmarks.clients.asking import Answered, Question, ask, texts_per_s, waits_ms
from benchmarks.clients.load import WrongAnswerError, post
from benchmarks.model.texts import BLOCK, texts, words_of
from tests.benchmarks.answering import Handler, answering

WORDS = [f"word{number}" for number in range(1000)]
SLOW_S = 1.5


def test_a_rate_does_not_depend_on_where_bursts_fall() -> None:
    """Eight clients, batches of four every half second: eight texts a second, however long."""
    bursts = [
        Answered(max(0.0, at / 2 - 1), at / 2, texts=1) for at in range(1, 40) for _ in range(4)
    ]
    for to_s in (6.1, 6.4, 6.6, 9.99):
        counted = [each for each in bursts if 1.2 <= each.at_s < to_s]
        assert texts_per_s(counted, 8) == pytest.approx(8)


def test_arrays_count_all_their_texts() -> None:
    """Two clients with ten texts each, answered every two seconds."""
    assert texts_per_s([Answered(0, 2, 10), Answered(0, 2, 10)], 2) == pytest.approx(10)


def test_no_answer_in_time_is_no_rate() -> None:
    """Rather than a division by zero. A wait is told in milliseconds."""
    with pytest.raises(WrongAnswerError, match="measure for longer"):
        texts_per_s([], 8)
    assert waits_ms([Answered(0, 0.5, 1)]) == [500]


class SlowAtFirst(Handler):
    """Answers the first question after a while, all others at once."""

    def reply(self, asked: bytes) -> None:
        if asked == b"0":
            time.sleep(SLOW_S)
        self.answer(b"true")


@pytest.fixture
def port() -> Iterator[int]:
    """A server's port."""
    with answering(SlowAtFirst) as port:
        yield port


def counted(port: int) -> list[Answered]:
    """What counts of a fifth of a second."""
    questions = (Question(post("/x", number), 1) for number in count())
    return ask(port, questions, b"true", 4, warm_up_s=0.1, seconds=0.2)


def test_counting_begins_when_every_connection_was_answered(port: int) -> None:
    """Until then a slow server's queue is not full, and its answers come sooner than later ones."""
    times_s = [each.at_s for each in counted(port)]
    assert min(times_s) >= SLOW_S
    assert max(times_s) < min(times_s) + 0.2


def test_counting_begins_some_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where somebody has no answer; what is answered after the end does not count."""
    monkeypatch.setattr(asking, "LONGEST_WARM_UP_S", 0.2)
    times_s = [each.at_s for each in counted(port)]
    assert 0.2 <= min(times_s) < SLOW_S
    assert max(times_s) < min(times_s) + 0.2


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
