"""What `make cluster` leaves out, and why. It runs the contract on a Redis Cluster."""

from __future__ import annotations

from typing import Final

import pytest

MODES: Final = ("distributed", "distributed-random", "distributed-split", "ordered")
"""Queue modes that a cluster can have."""

_COUNTS: Final = "reads what one server counts (INFO)"
_ONE_NODE: Final = "of types that are on different nodes this is not promised"

NOT_ON_A_CLUSTER: Final = {
    "test_cost_does_not_grow_with_the_input_ttl": _COUNTS,
    "test_idle_claim_wakes_at_once": _COUNTS,
    "test_who_need_not_claim_any_more_does_not": _COUNTS,
    "test_finish_and_claim_are_one_round_trip": _ONE_NODE,
}
"""Tests by name."""

LOST_KEYS: Final = "tests.contract.test_lost_keys"
"""What scripts do where a key is gone is the same on a cluster; these look into two databases."""


def left_out(item: pytest.Item) -> bool:
    """Whether `item` is no test of a cluster: of another queue mode, or of none."""
    assert isinstance(item, pytest.Function)
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    is_of_cluster = any(mode in parameters for mode in MODES) and item.module.__name__ != LOST_KEYS
    return not is_of_cluster or item.originalname in NOT_ON_A_CLUSTER
