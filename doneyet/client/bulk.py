"""Many inputs at once: submitted in arrays, and only unfinished ones polled, if any."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from doneyet.client.answers import Outcome, outcome_of, read_item
from doneyet.client.errors import (
    Answer,
    ClientError,
    InvalidInputError,
    NotDoneError,
    ProblemError,
    UnavailableError,
    UnexpectedAnswerError,
)
from doneyet.client.retry import FIRST_PAUSE_S, Backoff, Deadline
from doneyet.client.transport import Reply

MOST_INPUTS = 1_000
"""Inputs per request."""
MOST_CHARACTERS = 4_000_000
"""Length of one request's body; the server's default limit is 8 MiB."""
WINDOW = 4 * MOST_INPUTS
"""Unfinished inputs that are kept alive at once: enough that workers never run dry meanwhile."""
READ_AHEAD = 10 * WINDOW
"""Inputs that may be finished before the one whose turn it is, so that memory stays bounded."""
READ_FOR_S = 0.5
"""How long inputs are read before those that came are asked for: a source may be slow."""
FIRST_WAIT_S = 1.0
"""How long a round is held while answers come in; it doubles up to `wait_s` while none do."""
FEW = 0.1
"""A round that finishes a smaller part than this is not followed by another at once: asking for
all the others again costs more than it would tell."""


class Mapper:
    """One run over many inputs.

    Args:
        post: sends a JSON array, held for up to so many seconds; retries what may work later.
        wait_s: the longest time that one request may be held.
        patience_s: how long an input may be refused for want of room while nothing else happens.
        deadline: when to stop asking.
        on_progress: called with the counts of finished and failed inputs.
        leave: whether an answer that is not done yet is an outcome, too: each input is submitted,
            and none polled.
    """

    def __init__(
        self,
        post: Callable[[str, float], Reply],
        *,
        wait_s: float,
        patience_s: float,
        deadline: Deadline,
        on_progress: Callable[[int, int], None],
        leave: bool = False,
    ) -> None:
        self._post = post
        self._wait_s, self._patience_s, self._deadline = wait_s, patience_s, deadline
        self._on_progress, self._leave = on_progress, leave
        self._unfinished: dict[int, str] = {}
        self._pending: dict[int, Answer] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._no_room: dict[int, UnavailableError] = {}
        self._finished = self._failed = 0

    def run(self, texts: Iterable[str]) -> Iterator[Outcome]:
        """The outcome of each input (JSON text), in order."""
        source = enumerate(texts)
        turn, read = 0, 0
        backoff, patience = Backoff(), Deadline(self._patience_s)
        hold_s = FIRST_WAIT_S
        while True:
            while turn in self._outcomes:
                yield self._outcomes.pop(turn)
                turn += 1
                patience = Deadline(self._patience_s)  # whoever reads the answers may take long
            room = min(WINDOW - len(self._unfinished), READ_AHEAD - (read - turn))
            fresh = _read(source, room)
            read += len(fresh)
            self._unfinished.update(fresh)
            if not self._unfinished:
                return
            if self._deadline.passed:
                self._give_up(dict.fromkeys(self._unfinished))
                continue
            asked, before = len(self._unfinished), self._finished
            pause_s = self._round(min(hold_s, self._wait_s), backoff)
            if self._finished > before:
                backoff.reset()
                patience, hold_s = Deadline(self._patience_s), FIRST_WAIT_S
                pause_s = FIRST_PAUSE_S if self._finished - before < FEW * asked else 0.0
            else:
                hold_s *= 2
                if patience.passed:
                    self._give_up(self._no_room)
            self._deadline.pause(pause_s)

    def _round(self, hold_s: float, backoff: Backoff) -> float:
        """Asks once for every unfinished input; gives how long to pause if nothing finished."""
        self._no_room.clear()
        slices = list(_slices(self._unfinished))
        pause_s = 0.0
        for number, indexes in enumerate(slices):
            last = number == len(slices) - 1
            reply = self._ask(indexes, hold_s if last else 0.0)
            if last and reply is not None:
                pause_s = backoff.after(reply.took_s, hold_s, reply.retry_after_s)
        self._on_progress(self._finished, self._failed)
        return pause_s

    def _ask(self, indexes: list[int], hold_s: float) -> Reply | None:
        """Asks for some inputs in one request, or in several where the server takes no such array.

        An array is refused as a whole when it is too long, or when one item is no JSON to the
        server; halving it leaves the guilty item alone.
        """
        array = "[" + ",".join(self._unfinished[index] for index in indexes) + "]"
        try:
            reply = self._post(array, hold_s)
        except InvalidInputError as error:
            if len(indexes) == 1:
                self._finish(indexes[0], error)
                return None
            middle = len(indexes) // 2
            self._ask(indexes[:middle], 0.0)
            return self._ask(indexes[middle:], 0.0)
        if not isinstance(reply.body, list) or len(reply.body) != len(indexes):
            raise UnexpectedAnswerError(
                "the server did not answer an array with one of the same length"
            )
        for index, item in zip(indexes, reply.body, strict=True):
            self._sort(index, item)
        return reply

    def _sort(self, index: int, item: object) -> None:
        answer = read_item(item)
        if isinstance(answer, UnavailableError):
            self._no_room[index] = answer
        elif isinstance(answer, ProblemError):
            self._finish(index, answer)
        elif answer["done"]:
            self._finish(index, outcome_of(answer))
        elif self._leave:
            self._finish(index, answer)
        else:
            self._pending[index] = answer

    def _finish(self, index: int, outcome: Outcome) -> None:
        del self._unfinished[index]
        self._pending.pop(index, None)
        self._outcomes[index] = outcome
        self._finished += 1
        self._failed += isinstance(outcome, ClientError)

    def _give_up(self, chosen: dict[int, UnavailableError] | dict[int, None]) -> None:
        for index, error in chosen.items():
            outcome = error or NotDoneError(self._pending.get(index), self._deadline.timeout_s or 0)
            self._finish(index, outcome)


def _read(source: Iterator[tuple[int, str]], most: int) -> dict[int, str]:
    """The next inputs, by their places: up to `most`, and those that come within `READ_FOR_S`."""
    fresh: dict[int, str] = {}
    give_up_at_s = time.monotonic() + READ_FOR_S
    for place, text in islice(source, max(0, most)):
        fresh[place] = text
        if time.monotonic() > give_up_at_s:
            break
    return fresh


def _slices(unfinished: dict[int, str]) -> Iterator[list[int]]:
    """Indexes of inputs that fit into one request each."""
    indexes: list[int] = []
    length = 0
    for index, text in unfinished.items():
        if indexes and (len(indexes) == MOST_INPUTS or length + len(text) > MOST_CHARACTERS):
            yield indexes
            indexes, length = [], 0
        indexes.append(index)
        length += len(text) + 1
    if indexes:
        yield indexes
