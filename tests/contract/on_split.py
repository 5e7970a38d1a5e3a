"""What the contract leaves out for types that are split, and why: `Promises.one_queue` is no."""

from __future__ import annotations

from typing import Final

import pytest

SPLIT: Final = "distributed-split"
"""The queue mode whose types have several queues each."""

_LIMITS: Final = "sets a limit that each queue has a share of"
_TURNS: Final = "suspects come before others of the same queue"
_ANSWERS: Final = "of each queue at least one large answer is told"
_INSIDE: Final = "looks into a manager of one queue for each type, or counts what that asks"

NOT_OF_SPLIT_TYPES: Final = {
    "test_what_comes_of_submits": _LIMITS,
    "test_dead_owners_tasks_wait_again_alone": _TURNS,
    "test_large_answers_are_told_in_parts": _ANSWERS,
    "test_late_answer_after_everything_was_lost": _INSIDE,
    "test_who_need_not_claim_any_more_does_not": _INSIDE,
    "test_idle_claim_wakes_at_once": _INSIDE,
    "test_a_minute_that_is_over_joins_the_rest": _INSIDE,
    "test_a_tally_that_is_spoiled_stops_nothing": _INSIDE,
    "test_finish_and_claim_are_one_round_trip": _INSIDE,
}
"""Tests by name."""


def left_out(item: pytest.Item) -> bool:
    """Whether `item` is a test of split types that says nothing about them."""
    assert isinstance(item, pytest.Function)
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return SPLIT in parameters and item.originalname in NOT_OF_SPLIT_TYPES
