"""Which of a worker process' task types can be asked about, and what it may hold unknowingly.

Of a cluster a part may be away, with some types. What is asked of the others goes on; only where
all are away does the whole process wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence

from task_manager.errors import PartlyUnavailableError, UnavailableError
from task_manager.values import Claim

AGAIN_AFTER_S = 0.5
"""How long a type that is away is left alone, where others are there."""


class Reach:
    """What is known of each of the types called `names`.

    A type is away for a while after a call of it failed. It is unclear while a call that changes
    what the owner holds has had no answer: that may have been made.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._away_until_s: dict[str, float] = {}
        self._unclear_since_s: dict[str, float] = {}

    @property
    def claimable(self) -> list[str]:
        """The types that may be claimed."""
        return [n for n in self._names if n not in self._unclear_since_s and not self.is_away(n)]

    def is_away(self, name: str) -> bool:
        """Whether a type is left alone for now."""
        return time.monotonic() < self._away_until_s.get(name, 0.0)

    def unclear(self) -> Iterator[tuple[str, float]]:
        """The types that are unclear and not away, and for how long each is unclear, s."""
        now_s = time.monotonic()
        for name, since_s in self._unclear_since_s.items():
            if not self.is_away(name):
                yield name, now_s - since_s

    def doubt(self, types: Collection[str]) -> None:
        """They are unclear from now on."""
        now_s = time.monotonic()
        for name in types:
            self._unclear_since_s.setdefault(name, now_s)

    def clear(self, types: Collection[str]) -> None:
        """They are unclear no more."""
        for name in types:
            self._unclear_since_s.pop(name, None)

    def change(
        self, types: Collection[str], call: Callable[[], Sequence[Claim] | None]
    ) -> tuple[list[Claim], Collection[str]]:
        """As `attempt`, for a call that changes what the owner holds of these types."""
        before = dict(self._unclear_since_s)
        self.doubt(types)
        claims, failed = self.attempt(types, call)
        self._unclear_since_s = before
        self.doubt(failed)
        return claims, failed

    def attempt(
        self, types: Collection[str], call: Callable[[], Sequence[Claim] | None]
    ) -> tuple[list[Claim], Collection[str]]:
        """What `call` claims, and for which of these types it failed.

        Raises:
            UnavailableError: now all types are away.
        """
        try:
            return list(call() or ()), ()
        except PartlyUnavailableError as error:
            claims, failed = list(error.claims), {*error.reasons}
        except UnavailableError:
            claims, failed = [], {*types}
            if all(name in failed or self.is_away(name) for name in self._names):
                self._away_until_s.clear()  # whoever waits for Redis waits for all of them
                raise
        until_s = time.monotonic() + AGAIN_AFTER_S
        self._away_until_s.update(dict.fromkeys(failed, until_s))
        return claims, failed
