"""Start-time fair queuing in a few lines: what the fair pick has to do, for one task type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from task_manager.values import Asker

STEP = 1000


@dataclass
class FairModel:
    """Turns are (priority, tag), lowest first; equal ones in any order."""

    turns: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Of each task that waits or runs."""
    reached: dict[int, int] = field(default_factory=dict)
    """The tag that was claimed last, by priority."""
    next_tags: dict[tuple[int, str], int] = field(default_factory=dict)

    def nothing_waits(self) -> None:
        """Then all clients are as good as new."""
        self.next_tags.clear()

    def submit(self, n: int, asker: Asker, *, waits: bool) -> None:
        """It begins to wait, or is submitted once more while it `waits`."""
        turn = asker.priority, self._next_tag(asker)
        if waits and self.turns[n] <= turn:
            return
        self.turns[n] = turn
        self.next_tags[asker.priority, asker.client] = turn[1] + STEP // asker.weight

    def is_full(self, asker: Asker) -> bool:
        """Whether so many of the client's tasks wait as may."""
        last_claimed = self.reached.get(asker.priority, 0)
        tags = self._next_tag(asker) - last_claimed - 1
        return 0 < asker.max_waiting <= tags / (STEP // asker.weight)

    def _next_tag(self, asker: Asker) -> int:
        there = self.next_tags.get((asker.priority, asker.client), 0)
        return max(there, self.reached.get(asker.priority, 0) + 1)

    def claim(self, numbers: Sequence[int]) -> None:
        """They run."""
        for n in numbers:
            priority, tag = self.turns[n]
            self.reached[priority] = max(tag, self.reached.get(priority, 0))

    def come_back(self, n: int) -> None:
        """It waits again."""
        priority, tag = self.turns[n]
        self.turns[n] = (priority, min(tag, self.reached.get(priority, 0)))

    def are_first(self, numbers: Sequence[int], waiting: Sequence[int]) -> bool:
        """Whether `numbers` have the lowest turns of all that wait, in their order."""
        lowest = sorted(self.turns[n] for n in waiting)[: len(numbers)]
        return [self.turns[n] for n in numbers] == lowest
