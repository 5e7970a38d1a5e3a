"""What `make quick` leaves to a real server, and why. It runs the contract on fakeredis."""

from __future__ import annotations

from typing import Final

import pytest

_BLOCKED = "fakeredis does not tell which clients it blocks (INFO clients)"
_COMMANDS = "fakeredis does not count what scripts cost (INFO commandstats)"
_PROCESS = "stops and starts the server's process"
_SECONDS = "waits for seconds until something expires"

NOT_QUICK: Final = {
    "test_idle_claim_wakes_at_once": _BLOCKED,
    "test_who_need_not_claim_any_more_does_not": _BLOCKED,
    "test_cost_does_not_grow_with_the_input_ttl": _COMMANDS,
    "test_what_waits_makes_looks_no_dearer": _COMMANDS,
    "test_away_is_said_within_two_seconds_and_healed": _PROCESS,
    "test_expired_task_of_a_dead_owner_is_dropped": _SECONDS,
    "test_submitting_keeps_a_task_alive": _SECONDS,
    "test_servers_with_different_ttls": _SECONDS,
    "test_hasty_server_asks_of_a_running_task": _SECONDS,
    "test_expired_tasks_in_the_way": _SECONDS,
    "test_renewal_keeps_claims": _SECONDS,
    "test_failure_is_forgotten_after_its_ttl": _SECONDS,
    "test_abandoned_task_never_runs": _SECONDS,
}
"""Tests by name."""

RQ: Final = "RQ's workers ask the server for its version (INFO server)"
"""Why the rq queue mode is left out."""

FEWER: Final = 6
"""Runs of each state machine, which are 60 on a real server."""


WHAT_IS_TRIED: Final = [
    f"the contract on fakeredis, each state machine {FEWER} times; left to a real server:",
    *(f"  {name}: {why}" for name, why in {"the rq queue mode": RQ, **NOT_QUICK}.items()),
]


def left_out(item: pytest.Item) -> bool:
    """Whether `item` is left to a real server."""
    assert isinstance(item, pytest.Function)
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return "rq" in parameters or item.originalname in NOT_QUICK
