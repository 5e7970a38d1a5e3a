"""Kept tasks: those that stay alive while nobody polls, since servers do it for clients that left.

Each is an entry, in which stands what is to be submitted again and who is to be told. Servers take
entries that are due for a while, do what is to be done, and settle them; what a server took that
died meanwhile is due again when that while is over. So each entry is handled at least once,
and by one server at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from task_manager.values import NOBODY, Asker

MOST_KEPT = 100_000
"""Entries of one deployment: so many tasks are submitted again every half of their input ttl. Each
client may have as many as are left: alone half, and beside it a newcomer half of the rest."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept alive, and who is told of it."""

    id: str
    """Of the entry: the same for the same task, `url` and `events`."""
    task_id: str
    type: str
    version: str
    """The type's, when it was submitted: others have other ids for the same input."""
    input: bytes
    asker: Asker = NOBODY
    client: str = ""
    """Who had it kept, in queue modes without turns, too."""
    url: str = ""
    """Of a webhook; empty: nobody is told."""
    events: tuple[str, ...] = ()


class Progress(NamedTuple):
    """How far an entry is; empty at first."""

    attempts: int = 0
    """Deliveries of the answer that failed."""
    began: bool = False
    """Its begin was told."""
    reports: int = 0
    """How often its progress was told."""
    latest: str = ""
    """The progress that was told last, as JSON."""
    body: str = ""
    """What is to be told, where no result says it for long enough."""
    finished_ms: int = 0
    """When it finished of which `body` tells."""
    result_s: float = 0.0
    """How long the result was kept of which it tells."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry that this process holds for a while."""

    kept: Kept
    taker: str
    left_ms: int
    """For how long it is kept yet; 0 or less: it is over."""
    progress: Progress = field(default_factory=Progress)
    told_ms: int = 0
    """When it finished what was told last; 0: nothing was told yet."""


class Round(NamedTuple):
    """What a `take` found."""

    taken: Sequence[Taken]
    total: int
    """Entries that there are."""
    next_s: float | None
    """When the next one is due; None: there is none."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of an entry that was taken."""

    taken: Taken
    pause_s: float | None
    """In how long it is due again; None: it is over."""
    progress: Progress = field(default_factory=Progress)
    keep_s: float = 0.0
    """How long the entry is kept from now on. 0: as long as it was; if it is over, not at all."""
    told_ms: int = 0
    """When it finished what was told, where it is over. While the entry is kept, the same is not
    told again, however often it is asked for."""


class KeptTasks(ABC):
    """All kept tasks of a deployment; every method raises `UnavailableError` as a manager's do."""

    @abstractmethod
    def keep(
        self, entries: Sequence[Kept], keep_s: float, finished_ms: Sequence[int], look_s: float
    ) -> None:
        """Keeps these, all of one client, for `keep_s` from now, at least; one round trip.

        An entry that is there stays as it is, and whose it is. Where all is told of a task that
        finished at `finished_ms` (0: it has not), nothing happens. What has finished is due at
        once, other new ones in `look_s`.

        Raises:
            TooManyKeptError: there would be more than `MOST_KEPT`; the last of these are not kept.
            ClientKeepsTooManyError: this client would have more than are left; likewise.
        """

    @abstractmethod
    def take(self, limit: int, lease_s: float, heard: Sequence[str] = ()) -> Round:
        """Takes up to `limit` entries that are due, or of which there was news, for `lease_s`; one
        round trip."""

    @abstractmethod
    def settle(self, settled: Sequence[Settled]) -> None:
        """Gives entries back, or ends them; one round trip. What somebody else took meanwhile, or
        what was ended, stays as it is."""
