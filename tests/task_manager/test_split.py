"""Types with several queues: what these are called, and who may ask for them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from redis.crc import key_slot

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from task_manager import open_submitter, open_task_manager, split
from task_manager.errors import PartlyUnavailableError, UnavailableError
from task_manager.split_queues import (
    SLOTS,
    check_split_types,
    queue_names,
    queue_of,
    split_limits,
    split_types,
    told_version,
)
from task_manager.values import State
from tests.contract.harness import RedisHarness, TypeLimits, task
from tests.helpers import wait_until

NAMES = ("iris", "question-answering/roberta", "a")
IRIS = {"iris": TypeLimits()}


def settings(**given: str) -> Settings:
    """Those of the distributed queue mode, with more."""
    return Settings(**{"queue_mode": "distributed", **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [2, 3, 8, 64])
def test_queues_divide_all_slots_evenly(name: str, count: int) -> None:
    """So each node gets as many as any other; the first one is called as its type."""
    queues = queue_names(name, count)
    assert queues[0] == name
    assert len({*queues}) == count
    slots = sorted(key_slot(queue.encode()) for queue in queues)
    gaps = [later - slot for slot, later in pairwise([*slots, slots[0] + SLOTS])]
    apart = SLOTS / count
    assert all(abs(gap - apart) <= 1 + apart / 10 for gap in gaps), gaps


def test_tasks_are_spread_over_the_queues() -> None:
    """By their ids, for ever the same."""
    queues = queue_names("iris", 4)
    chosen = [queue_of(queues, task(n).id) for n in range(4000)]
    assert chosen == [queue_of(queues, task(n).id) for n in range(4000)]
    for queue in queues:
        assert 850 < chosen.count(queue) < 1150


def test_each_queue_has_a_share_of_the_limits() -> None:
    """And the number of queues is a part of the version; other types are as they were."""
    limits = {"iris": TypeLimits(version="7", max_load=10), "other": TypeLimits()}
    of_queues = split_limits(settings(split_types="iris=4"), limits)
    assert of_queues.pop("other") is limits["other"]
    assert [*of_queues] == [*queue_names("iris", 4)]
    assert {(each.version, each.max_load) for each in of_queues.values()} == {("7 in 4 queues", 3)}


def test_how_versions_are_told() -> None:
    """Without the number of queues where that is our own."""
    assert told_version("7 in 4 queues", 4) == "7"
    assert told_version("7 in 3 queues", 4) == "7 in 3 queues"
    assert told_version("7", 4) == "7 in 1 queue"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"split_types": "iris"}, "such as minilm=4, not 'iris'"),
        ({"split_types": "iris=1"}, "from 2 to 64"),
        ({"split_types": "iris=65"}, "from 2 to 64"),
        ({"split_types": "=4"}, "not '=4'"),
        ({"split_types": "iris=4, iris=5"}, "'iris' twice"),
        ({"split_types": "irs=4"}, "names 'irs', which is not among the task types: iris"),
        ({"split_types": "iris=4", "queue_mode": "ordered"}, "needs the distributed queue mode"),
        ({"split_types": "iris=4", "queue_mode": "random"}, "needs the distributed queue mode"),
        ({"split_types": "iris=4", "queue_mode": "rq"}, "needs the distributed queue mode"),
        ({"split_types": "iris=4", "queue_mode": "synchronous"}, "needs the distributed"),
        ({"split_types": "iris=4", "pick": "oldest"}, "no --pick oldest"),
    ],
)
def test_what_cannot_be_split(given: dict[str, str], said: str) -> None:
    """Is said before a program starts."""
    with pytest.raises(SettingError, match=said):
        check_split_types(settings(**given), IRIS)


def test_types_that_supervisors_run_cannot_be_split() -> None:
    """They are few, and large."""
    with pytest.raises(SettingError, match="cannot be split"):
        check_split_types(settings(split_types="iris=4"), {"iris": TypeLimits(coordinated=True)})


@pytest.mark.parametrize("mode", ["random", "ordered", "rq"])
def test_managers_of_other_queue_modes_refuse(mode: str) -> None:
    """Workers, too, which are started without the server's checks."""
    with pytest.raises(SettingError, match="DONEYET_SPLIT_TYPES"):
        open_submitter(settings(split_types="iris=4", queue_mode=mode), IRIS)


def test_nothing_is_split_unless_it_is_asked_for() -> None:
    """And where it is not, nothing stands between."""
    manager = open_task_manager(settings(), IRIS)
    assert manager.promises.one_queue
    assert manager.queues(["iris"]) == ["iris"]
    assert manager.queue_of("iris", "x") == "iris"
    assert split_types(settings(split_types=" iris=4 , ")) == {"iris": 4}


def test_programs_that_differ_in_the_number_are_told(redis_url: str) -> None:
    """No worker meets tasks of another number of queues, and everybody sees whose these are."""
    harnesses = {
        count: RedisHarness(redis_url, IRIS, "distributed", split_types=f"iris={count}")
        for count in (2, 3)
    }
    plain = RedisHarness(redis_url, IRIS, "distributed")
    two, three = harnesses[2], harnesses[3]
    asked = task(1, "iris")
    two.manager.submit([asked])
    assert three.work_once() == []
    assert plain.work_once() == []
    (others,) = wait_until(
        lambda: [each for each in two.manager.other_versions(["iris"]) if "3" in each.version],
        description="it is seen",
    )
    assert (others.version, others.workers) == ("1 in 3 queues", 1)
    assert "1 in 1 queue" in {each.version for each in two.manager.other_versions(["iris"])}
    seen = {each.version for each in plain.manager.other_versions(["iris"])}
    assert seen >= {"1 in 3 queues"}
    assert two.manager.load(["iris"])[0].workers == 0
    assert two.work_once() == [1]
    for harness in (two, three, plain):
        harness.close()


def test_an_answer_tells_the_load_of_its_type(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all its queues, also of what others have submitted there."""
    ours, theirs = (
        RedisHarness(redis_url, IRIS, "distributed", split_types="iris=3") for _ in range(2)
    )
    for n in range(12):
        (told,) = ours.manager.submit([task(n, "iris")])
        assert told.load == n + 1  # type: ignore[union-attr]
    theirs.manager.submit([task(n, "iris") for n in range(12, 20)])
    monkeypatch.setattr(split, "LOAD_KNOWN_S", 0.0)
    (told,) = ours.manager.submit([task(0, "iris")])
    assert told.load == 20  # type: ignore[union-attr]
    status = ours.manager.status("iris", task(1, "iris").id)
    assert status is not None
    assert (status.type, status.load) == ("iris", 20)
    cancelled = ours.manager.cancel("iris", task(2, "iris").id)
    assert cancelled is not None
    assert (cancelled.type, cancelled.load) == ("iris", 19)
    for harness in (ours, theirs):
        harness.close()


def test_workers_go_by_queues(redis_url: str) -> None:
    """One of which may be away while others are not."""
    harness = RedisHarness(redis_url, IRIS, "distributed", split_types="iris=3")
    manager = harness.manager
    queues = manager.queues(["iris"])
    assert len({*queues}) == 3
    assert "iris" not in queues
    manager.renew({"worker": queues}, lease_s=10)
    asked = [task(n, "iris") for n in range(30)]
    manager.submit(asked)
    for queue in queues:
        claims = manager.claim("worker", [queue], limit=100)
        assert {each.type for each in claims} == {"iris"}
        assert {manager.queue_of("iris", each.id) for each in claims} == {queue}
        assert manager.recover("worker", [queue], running=()) == len(claims) > 0
    harness.close()


def test_a_task_is_known_everywhere_whatever_queue_it_is_in(redis_url: str) -> None:
    """Also while nothing has been in the first one, which is where others look."""
    harness = RedisHarness(redis_url, IRIS, "distributed", split_types="iris=3")
    unsplit = RedisHarness(redis_url, IRIS, "distributed")
    stranger = RedisHarness(redis_url, {"other": TypeLimits()}, "distributed")
    manager = harness.manager
    asked = next(
        each for n in range(30) if manager.queue_of("iris", (each := task(n, "iris")).id) != "iris"
    )
    manager.submit([asked])
    assert stranger.manager.known_types() == ["iris"]
    for other in (unsplit, stranger):
        status = other.manager.status("iris", asked.id)
        assert status is not None
        assert status.state is State.WAITING
    (load,) = unsplit.manager.other_versions(["iris"])
    assert load.waiting == 1
    for used in (harness, unsplit, stranger):
        used.close()


def test_what_is_claimed_while_one_queue_is_away(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comes together with which one that is, and why, so that it is run."""
    harness = RedisHarness(redis_url, IRIS, "distributed", split_types="iris=3")
    manager = harness.manager
    assert isinstance(manager, split.Split)
    queues = manager.queues(["iris"])
    manager.renew({"worker": queues}, lease_s=10)
    manager.submit([task(n, "iris") for n in range(30)])
    claim, why = manager._inner.claim, UnavailableError("away")

    def claim_of_others(*given: Any, **options: Any) -> None:
        raise PartlyUnavailableError({"iris": why}, claim(*given, **options))

    monkeypatch.setattr(manager._inner, "claim", claim_of_others)
    with pytest.raises(PartlyUnavailableError) as told:
        manager.claim("worker", queues, limit=100)
    assert told.value.reasons == {queues[0]: why}
    assert [each.type for each in told.value.claims] == ["iris"] * 30
    harness.close()
