"""Asks the task manager for whoever asked us: as seldom as can be, and for as long as they wait."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from doneyet.settings import Settings
from http_server.ask.answer_cache import REPEAT_S, AnswerCache, Known, Question
from http_server.ask.coalescing import Combiner, Outcome
from http_server.ask.completions import News
from http_server.ask.long_poll import BYTES_PER_PLACE, Waiter, WaitingRoom, places
from http_server.ask.rechecking import Rechecker
from http_server.redis_outage import Outage
from http_server.wire.answer import at_once
from http_server.wire.problem import Problem, overloaded
from task_manager.errors import OverloadedError
from task_manager.interface import TaskSubmitter

LOOK_AGAIN_S = 0.5
"""How often a held request asks while no news comes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer object; `task_id` for its `Location`."""

    task_id: str
    body: bytes
    done: bool


class Asker:
    """One per process: the caches, the waiting room and the way to the task manager."""

    def __init__(self, manager: TaskSubmitter, settings: Settings) -> None:
        self.manager = manager
        self.outage = Outage()
        self.news = News()
        self.news.tell(lambda _ids: None, self._news_changed)
        self.cache = AnswerCache(self.news)
        self.room = WaitingRoom(self.news, settings.max_waiting)
        self._combiner = Combiner(manager)
        self._rechecker = Rechecker(self.ask_and_wait, self.cache)
        self._at_once = manager.promises.answers_at_once
        self._interest_s = settings.input_ttl_s

    def start(self) -> None:
        """Begins to hear news."""
        self.news.start(self.manager)

    def close(self) -> None:
        """Sends waiting requests off and lets go of the manager."""
        self.room.drain()
        self.news.close()
        self.manager.close()

    def ask(self, questions: Sequence[Question], *, discard: bool = False) -> list[Reply | Problem]:
        """How each is now; an `overloaded` problem where a new task met its type's `max_load`.

        Raises:
            UnavailableError: Redis is away.
        """
        if self._at_once:
            return self._ask_at_once(questions, discard=discard)
        known: dict[int, Known] = {}
        if not discard:
            known = self._from_cache(questions)
        unknown = [place for place in range(len(questions)) if place not in known]
        replies: dict[int, Reply | Problem] = {}
        if unknown:
            asked = [questions[place] for place in unknown]
            replies.update(zip(unknown, self._submit(asked, discard=discard), strict=True))
        for place, found in known.items():
            load = self.cache.latest_load(questions[place].task.type, found)
            body = found.answer.with_load(load)
            replies[place] = Reply(questions[place].task.id, body, found.answer.done)
        told = [replies[place] for place in range(len(questions))]
        if stale := self._rechecker.stale(questions, told):
            again = self._submit([questions[place] for place in stale], discard=True)
            for place, reply in zip(stale, again, strict=True):
                told[place] = reply
        return told

    def ask_and_wait(
        self, questions: Sequence[Question], wait_s: float, *, discard: bool = False
    ) -> tuple[list[Reply | Problem], bool]:
        """As `ask` when all are terminal, or `wait_s` later.

        Returns:
            The replies, and whether the wish to wait was respected: not when the places to wait in
            are taken, or when the server drains.
        """
        give_up_s = time.monotonic() + wait_s
        ids = {question.task.id for question in questions}
        size_bytes = sum(question.size for question in questions)
        with self.room.enter(places(len(questions), size_bytes)) as waiter:
            if waiter is None:
                replies = self.ask(questions, discard=discard)
                return replies, all(_settled(reply) for reply in replies)
            waiter.expect(ids)
            settled, pending = self._sorted(self.ask(questions, discard=discard))
            waited = not pending or self._keeps(waiter, settled.values())
            while pending and waited:
                left_s = give_up_s - time.monotonic()
                if left_s <= 0 or self.room.draining:
                    waited = not self.room.draining
                    break
                ids = {questions[place].task.id for place in pending}
                waiter.wait(
                    ids, min(left_s, self._refresh_s(questions[place] for place in pending))
                )
                waiter.expect(ids)
                asked = [questions[place] for place in pending]
                again, still = self._sorted(self.ask(asked))
                settled.update((pending[place], reply) for place, reply in again.items())
                pending = [pending[place] for place in still]
                waited = not pending or self._keeps(waiter, again.values())
            if pending:  # what was not done before was not kept; most of it is in the cache
                last = self.ask([questions[place] for place in pending])
                settled.update(zip(pending, last, strict=True))
            return [settled[place] for place in range(len(questions))], waited

    @staticmethod
    def _sorted(replies: list[Reply | Problem]) -> tuple[dict[int, Reply | Problem], list[int]]:
        """The replies that are the last word, by place, and the places of the others."""
        settled = {place: reply for place, reply in enumerate(replies) if _settled(reply)}
        return settled, [place for place in range(len(replies)) if place not in settled]

    def _keeps(self, waiter: Waiter, settled: Iterable[Reply | Problem]) -> bool:
        """Whether there is room for answers that must wait for others of their array."""
        size_bytes = sum(len(reply.body) for reply in settled if isinstance(reply, Reply))
        return size_bytes == 0 or self.room.widen(waiter, size_bytes // BYTES_PER_PLACE)

    def _news_changed(self) -> None:
        if self.news.connected:
            self.outage.worked(Outage.NEWS)
        else:
            self.outage.failed(Outage.NEWS, "Redis is away: no notifications of finished tasks")

    def _from_cache(self, questions: Sequence[Question]) -> dict[int, Known]:
        """What need not be asked, by place. Where a type's load is stale, one of its tasks is left
        out: asking about any one tells the load of all."""
        now_s = time.monotonic()
        known: dict[int, Known] = {}
        by_type: dict[str, int] = {}
        for place, question in enumerate(questions):
            found = self.cache.answer(question, now_s)
            if found is not None:
                known[place] = found
                by_type[question.task.type] = place
        for name, place in by_type.items():
            if self.cache.load(name, now_s) is None:
                del known[place]
        return known

    def _submit(self, questions: Sequence[Question], *, discard: bool) -> list[Reply | Problem]:
        before = [question.news for question in questions]
        epoch = self.news.epoch
        tasks = [question.task for question in questions]
        if discard:
            outcomes: list[Outcome] = self.manager.submit(tasks, discard=True)
            for question in questions:
                self.cache.doubt(question.task.id)
        else:
            outcomes = self._combiner.submit(tasks)
        self.outage.worked(Outage.ASKING)
        replies: list[Reply | Problem] = []
        for question, outcome, news in zip(questions, outcomes, before, strict=True):
            if isinstance(outcome, OverloadedError):
                replies.append(overloaded(str(outcome)))
                continue
            answer = self.cache.learn(question, outcome, news, epoch)
            replies.append(Reply(outcome.id, answer.with_load(outcome.load), answer.done))
        return replies

    def _ask_at_once(
        self, questions: Sequence[Question], *, discard: bool
    ) -> list[Reply | Problem]:
        outcomes = self.manager.submit([question.task for question in questions], discard=discard)
        return [
            overloaded(str(outcome))
            if isinstance(outcome, OverloadedError)
            else Reply(outcome.id, at_once(question.task_type, outcome, question.echo), True)
            for question, outcome in zip(questions, outcomes, strict=True)
        ]

    def _refresh_s(self, questions: Iterable[Question]) -> float:
        """How long to sleep at most: asking is also what keeps the tasks wanted."""
        if not self.news.connected:
            return LOOK_AGAIN_S
        shortest_s = min(
            question.task_type.input_ttl_s or self._interest_s for question in questions
        )
        return max(REPEAT_S, shortest_s / 3)


def _settled(reply: Reply | Problem) -> bool:
    return isinstance(reply, Problem) or reply.done
