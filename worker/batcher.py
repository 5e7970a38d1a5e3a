"""Grouping claims into batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from task_manager.interface import Claim
from tasks import TaskType


class Batch(NamedTuple):
    """Claims of one type that one `run` handles together."""

    type: TaskType
    claims: Sequence[Claim]
    last: bool = False
    """The last one that came of its claim: time to store results and ask for more."""


def make_batches(claims: Sequence[Claim], types: Mapping[str, TaskType]) -> list[Batch]:
    """`claims` as batches that keep to each type's `max_batch_size` and `max_batch_cost`.

    A claim to be run alone gets a batch of its own. Types that say what an input costs get inputs
    of like cost together, so that little is padded. Types come in the order of their first claim.
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
        if task_type.max_batch_size == 1:
            batches.extend([Batch(task_type, (claim,)) for claim in members])
        elif _has_costs(task_type):
            batches.extend(Batch(task_type, part) for part in _cut_by_cost(task_type, members))
        else:
            batches.extend(Batch(task_type, part) for part in _cut(members, task_type))
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


def _has_costs(task_type: TaskType) -> bool:
    return type(task_type).cost is not TaskType.cost or task_type.max_batch_cost is not None


def _cut_by_cost(task_type: TaskType, claims: Sequence[Claim]) -> Iterator[Sequence[Claim]]:
    """Cheapest first; a batch weighs its dearest input times its size, since shorter are padded."""
    most_cost = task_type.max_batch_cost
    part: list[Claim] = []
    by_cost = sorted(
        ((_cost(task_type, claim), claim) for claim in claims), key=lambda pair: pair[0]
    )
    for cost, claim in by_cost:
        too_dear = most_cost is not None and cost * (len(part) + 1) > most_cost
        if part and (too_dear or len(part) == task_type.max_batch_size):
            yield part
            part = []
        part.append(claim)
    if part:
        yield part


def _cost(task_type: TaskType, claim: Claim) -> float:
    try:
        return task_type.cost(task_type.Input.model_validate_json(claim.input))
    except ValidationError:
        return 0.0  # it is refused before anything runs
