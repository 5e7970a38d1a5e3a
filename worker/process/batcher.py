"""Grouping claims into batches."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from doneyet.task_types import TaskType
from doneyet.task_types.loading import is_loaded
from doneyet.task_types.ready import Ready, make_ready, priced
from task_manager.values import Claim


class Batch(NamedTuple):
    """Claims of one type that one `run` handles together."""

    type: TaskType
    claims: Sequence[Claim]
    ready: Sequence[Ready] | None = None
    """The claims' inputs, validated and prepared, where something had to be known of them."""
    weight: float = 1.0
    """How much there is to compute, in a unit of the type's own: its dearest input's cost times its
    size, or the number of its claims."""
    last: bool = False
    """The last one that came of its claim: time to store results and ask for more."""


Watched = Callable[[Sequence[Claim]], AbstractContextManager[None]]
"""Says of which claims inputs are being prepared meanwhile."""


def make_batches(
    claims: Sequence[Claim],
    types: Mapping[str, TaskType],
    *,
    in_order: bool = False,
    watched: Watched = lambda _: nullcontext(),
) -> list[Batch]:
    """`claims` as batches that keep to each type's `max_batch_size` and `max_batch_cost`.

    A claim to be run alone gets a batch of its own. Types that say what an input costs get inputs
    of like cost together, so that little is padded. Types come in the order of their first claim.
    Inputs of types that prepare them are prepared here, while the batch before computes; at most
    `max_batch_size` at once, within `watched`, since they may never come to an end. With `in_order`
    the batch of the first claim comes first, and so on.
    """
    batches: list[Batch] = []
    grouped: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.alone:
            batches.append(Batch(types[claim.type], (claim,)))
        else:
            grouped.setdefault(claim.type, []).append(claim)
    for name, members in grouped.items():
        task_type = types[name]
        if _looks_ahead(task_type):
            batches.extend(_prepared(task_type, members, in_order, watched))
        elif task_type.max_batch_size == 1:
            batches.extend([Batch(task_type, (claim,)) for claim in members])
        else:
            batches.extend(
                Batch(task_type, part, weight=len(part)) for part in _cut(members, task_type)
            )
    return _last_marked(batches)


def make_batches_unseen(claims: Sequence[Claim], types: Mapping[str, TaskType]) -> list[Batch]:
    """Each of `claims` alone, its input not looked at before it runs."""
    return _last_marked([Batch(types[claim.type], (claim,)) for claim in claims])


def _last_marked(batches: list[Batch]) -> list[Batch]:
    if batches:
        batches[-1] = batches[-1]._replace(last=True)
    return batches


def missing(claims: Sequence[Claim], task_type: TaskType) -> int:
    """How many more claims of `task_type` would fill its last batch; 0 when none waits for more."""
    if task_type.batch_wait_ms <= 0:
        return 0
    name = task_type.name
    together = sum(1 for claim in claims if claim.type == name and not claim.alone)
    return -together % task_type.max_batch_size


def _cut(claims: Sequence[Claim], task_type: TaskType) -> Iterator[Sequence[Claim]]:
    size = task_type.max_batch_size
    return (claims[start : start + size] for start in range(0, len(claims), size))


def _looks_ahead(task_type: TaskType) -> bool:
    """Whether inputs are to be seen before they run; not before the type itself is loaded."""
    kind = type(task_type)
    return is_loaded(task_type) and (
        kind.prepare is not TaskType.prepare
        or kind.cost is not TaskType.cost
        or task_type.max_batch_cost is not None
    )


def _prepared(
    task_type: TaskType, claims: Sequence[Claim], in_order: bool, watched: Watched
) -> list[Batch]:
    """Batches of inputs of like cost; a batch weighs its dearest input times its size.

    They come in random order, unless they are to come in that of the claims. What is claimed and
    not begun soon goes back, so in the order of their costs the dearest could wait for ever while
    cheap ones keep coming.
    """
    ready: list[Ready] = []
    costs: list[float] = []
    for part in _cut(claims, task_type):
        with watched(part):
            inputs, ids = [claim.input for claim in part], [claim.id for claim in part]
            for made in make_ready(task_type, inputs, ids):
                each, cost = priced(task_type, made)
                ready.append(each)
                costs.append(cost)
    places = list(_cut_by_cost(task_type, costs))
    if in_order:
        places.sort(key=min)
    else:
        random.shuffle(places)
    return [
        Batch(
            task_type,
            [claims[at] for at in chosen],
            [ready[at] for at in chosen],
            weight=max(1.0, costs[chosen[-1]] * len(chosen)),
        )
        for chosen in places
    ]


def _cut_by_cost(task_type: TaskType, costs: Sequence[float]) -> Iterator[list[int]]:
    """Places of inputs of like cost, the dearest last.

    A part ends where it is full, where the next input would make it too dear, and where padding
    the cheaper ones to it would cost more than one more batch does.
    """
    most_cost = task_type.max_batch_cost or math.inf
    part: list[int] = []
    paid = 0.0
    for place in sorted(range(len(costs)), key=costs.__getitem__):
        padded = costs[place] * (len(part) + 1)
        wasted = padded - paid - costs[place]
        full = len(part) == task_type.max_batch_size or padded > most_cost
        if part and (full or wasted > task_type.batch_overhead):
            yield part
            part, paid = [], 0.0
        part.append(place)
        paid += costs[place]
    if part:
        yield part
