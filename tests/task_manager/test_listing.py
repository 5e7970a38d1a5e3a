"""Pages: how those of several lists become one, and what an error is read from."""

from __future__ import annotations

import random

import pytest

from task_manager.listing import ListedTask, Page, Place, error_in, merged, place_in_time
from task_manager.values import State


def listed(order: int, name: str = "") -> ListedTask:
    """A task at that place."""
    return ListedTask(Place(name, order, f"{order:04}"), "t", State.DONE)


def page_of(tasks: list[ListedTask], limit: int, after: Place | None) -> Page:
    """What one list tells from there on."""
    rest = [each for each in tasks if after is None or each.place > after]
    return Page(rest[:limit], rest[limit - 1].place if len(rest) > limit else None)


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages_of_several_lists_tell_all_in_order(limit: int) -> None:
    """Whatever the lists have, each task once, in the order of places."""
    numbers = random.Random(5)
    lists = [sorted(numbers.sample(range(1000), count)) for count in (0, 1, 20, 50)]
    tasks = [[listed(10 * n + which) for n in each] for which, each in enumerate(lists)]
    told: list[ListedTask] = []
    after: Place | None = None
    while True:
        page = merged([page_of(each, limit, after) for each in tasks], limit)
        told += page.tasks
        after = page.end
        if after is None:
            break
        assert len(page.tasks) == limit
    assert told == sorted((each for one in tasks for each in one), key=lambda each: each.place)


def test_a_search_that_has_not_ended_holds_others_back() -> None:
    """What is behind its end comes later, since something may still be found before it."""
    searched = Page([], Place("", 5, ""))
    found = Page([listed(4), listed(6)])
    assert merged([searched, found], 10) == Page([listed(4)], Place("", 5, ""))


def test_newer_comes_first() -> None:
    """By time; then by id."""
    places = [place_in_time(2, "b"), place_in_time(2, "c"), place_in_time(1, "a")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        (b'{"a":1,"error":{"code":"c","detail":"d"}}', ("c", "d")),
        (b'xx"},"error": {"code": "c", "detail": "d"}}', ("c", "d")),
        (b'\xb6","error":{"code":"c","detail":"\\"error\\":{}"}}', ("c", '"error":{}')),
        (b'{"error":{"code":"old","detail":""},"error":{"code":"c","detail":"d"}}', ("c", "d")),
        (b'{"error":{"code":"c"}}', None),
        (b'{"error":{"code":"c","detail":"cut', None),
        (b'{"error":[1]}', None),
        (b'{"error":null}', None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_errors_are_read_from_the_end_of_a_body(tail: bytes, told: tuple[str, str] | None) -> None:
    """Of which the beginning may be missing."""
    assert error_in(tail) == told
