"""Answers without a trained model: the sentence of a page that is most like the question."""

from __future__ import annotations

from typing import Any

import pytest

from doneyet.local.demo_models import PAGE as LIGHTHOUSE
from tests.models.conftest import MINILM, MakeModel, answers

PAGE = """\
The Calder bridge crosses the river Ness at its narrowest point. Work on it began in the spring of
1902. The architect, Henrik Lund, had never built anything larger than a school. Six hundred men
dug the foundations by hand. Eleven of them drowned when a dam broke. The arches are made of
sandstone from a quarry near Dale. A tram ran over it until 1956. Its rails are still under the
asphalt. In the war the middle arch was blown up by retreating soldiers. It took three years to
repair it. Now forty thousand cars use the bridge every day. Swallows nest under its lamps in
summer."""

FACTS = {
    "When did construction start?": "1902",
    "Who designed the bridge?": "Henrik Lund",
    "How many workers dug the foundations?": "Six hundred",
    "What stone are the arches built from?": "sandstone",
    "Until when did trams use the bridge?": "1956",
    "Where are the old rails?": "asphalt",
    "Who destroyed the middle arch?": "soldiers",
    "How long did the repair take?": "three years",
    "How much traffic does the bridge have?": "forty thousand",
    "Which birds live at the bridge?": "Swallows",
}


@pytest.fixture
def reader(make_model: MakeModel) -> Any:
    """The model, and one sentence as its answer."""
    return make_model("question-answering", MINILM, "passages")


def test_facts_are_found_in_the_right_sentence(reader: Any) -> None:
    """Most of them, though the questions share few words with their answers."""
    asked = [{"question": question, "context": PAGE} for question in FACTS]
    found = answers(reader, *asked)
    wrong = [
        f"{question} {each.answer}"
        for (question, fact), each in zip(FACTS.items(), found, strict=True)
        if fact not in each.answer
    ]
    assert len(wrong) <= 2, wrong
    for each in found:
        assert each.answer == PAGE[each.start : each.end]
        assert each.answer.count(".") == 1, "one sentence"
        assert 0 < each.score <= 1


@pytest.mark.parametrize(
    "question", ["Who built the lighthouse?", "When was the lighthouse built?"]
)
def test_what_a_sentence_is_about_may_be_said_before(reader: Any, question: str) -> None:
    """`It was built in 1874 by` is the answer, not the sentence that names the lighthouse."""
    (found,) = answers(reader, {"question": question, "context": LIGHTHOUSE})
    assert found.answer.startswith("It was built in 1874")


def test_passages_of_several_sentences(make_model: MakeModel) -> None:
    """Neighbours of the best sentence, never more than there are."""
    asked = {"question": "Who designed the bridge?", "context": PAGE}
    (one,) = answers(make_model("question-answering", MINILM, "passages"), asked)
    (three,) = answers(make_model("question-answering", MINILM, "passages", sentences=3), asked)
    assert one.answer in three.answer
    assert three.answer == PAGE[three.start : three.end]
    assert three.answer.count(".") == 3
    (all_,) = answers(make_model("question-answering", MINILM, "passages", sentences=20), asked)
    assert all_.answer == PAGE


def test_every_part_of_a_long_sentence_is_read(reader: Any) -> None:
    """A text without full stops is answered from its end as well, between two words."""
    said = "swallows nest under the lamps of the bridge in summer"
    words = " ".join(["unforeseeable counterarguments overcomplicated microeconomics"] * 90)
    context = f"Yes.\n\n{words} {said} {words}"
    (found,) = answers(reader, {"question": "Which birds nest at the bridge?", "context": context})
    assert "swallows nest" in found.answer
    assert len(found.answer) < len(context) / 3
    assert found.answer == context[found.start : found.end]
    assert context[found.start - 1] == context[found.end] == " "
    (found,) = answers(reader, {"question": "Which letter?", "context": "x" * 3000})
    assert set(found.answer) == {"x"}


def test_the_cost_is_the_number_of_tokens(reader: Any) -> None:
    """Of question and sentences together, so that long pages are not run with many others."""
    single, double = reader.prepare(
        [reader.Input(question="Who?", context=text) for text in (PAGE, f"{PAGE} {PAGE}")]
    )
    question = len(single.sequences[0]["input_ids"])
    assert reader.cost(double) - question == 2 * (reader.cost(single) - question)
    assert reader.cost(single) == sum(len(each["input_ids"]) for each in single.sequences)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"question": "Who?"}, "send one"),
        ({"question": "Who?", "context": " \n\n "}, "send one"),
        ({"question": "who " * 300, "context": PAGE}, "the question has 302 tokens; 256"),
    ],
)
def test_what_cannot_be_answered_fails_alone(
    reader: Any, fields: dict[str, str], reason: str
) -> None:
    """With a reason that says what to do."""
    good = {"question": "Who designed the bridge?", "context": PAGE}
    first, refused, last = answers(reader, good, fields, good)
    assert first == last
    assert isinstance(refused, ValueError)
    assert reason in str(refused)
