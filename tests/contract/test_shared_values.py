"""Small values that all servers of a deployment share, whatever the queue mode."""

from __future__ import annotations

import pytest

from task_manager import shared_values
from task_manager.composite import Routed
from task_manager.shared_values import ValuesInMemory
from tests.contract.conftest import WAITING_MODES, MakeHarness
from tests.contract.harness import Harness
from tests.helpers import wait_until


def test_a_value_is_kept_for_its_time(harness: Harness) -> None:
    """Then, or when it is dropped, it is gone; a later one takes the place of an earlier one."""
    values = harness.manager.shared_values()
    assert values.get("a") is None
    values.put("a", "one", 60)
    values.put("a", "two é", 60)
    values.put("b", "other", 60)
    assert [values.get("a"), values.get("b")] == ["two é", "other"]
    values.drop("a")
    values.drop("a")
    assert [values.get("a"), values.get("b")] == [None, "other"]
    values.put("c", "short", 0.05)
    wait_until(lambda: values.get("c") is None, description="its time is over")


@pytest.mark.parametrize("queue_mode", WAITING_MODES)
def test_all_servers_see_it(make_harness: MakeHarness) -> None:
    """Each has a manager of its own; so has one that sends some types elsewhere."""
    first, second = make_harness().manager, make_harness().manager
    first.shared_values().put("a", "one", 60)
    assert second.shared_values().get("a") == "one"
    assert Routed(second, first, ["x"]).shared_values().get("a") == "one"


def test_in_one_process_they_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first, so that no number of logins takes more memory."""
    monkeypatch.setattr(shared_values, "MOST_VALUES", 3)
    values = ValuesInMemory()
    for name in "abcd":
        values.put(name, name, 60)
    assert [values.get(name) for name in "abcd"] == [None, "b", "c", "d"]
