"""Answers about what lies outside, as files do: told again only while they still hold.

A job with such answers names another that can tell (`Job.rechecked_by`): it runs in
workers, since servers have neither files nor credentials. It is asked each time somebody asks for a
task that is done. A task whose answer does not hold runs again, and its next answer is told as it
is: who keeps asking is answered, be the files written ever so often.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from doneyet.task_types import Job
from http_server.ask.answer_cache import AnswerCache, Question
from http_server.wire.problem import Problem
from task_manager.interface import Task

RECHECK_WAIT_S = 2.0
"""How long a worker may take to tell; after that an answer is told as it stands."""
_MOST_RESTARTED = 10_000


class _Reply(Protocol):
    @property
    def body(self) -> bytes: ...
    @property
    def done(self) -> bool: ...


Wait = Callable[[Sequence[Question], float], tuple[Sequence["_Reply | Problem"], bool]]


class Rechecker:
    """Finds finished answers that do not hold any more.

    Args:
        ask_and_wait: asks questions and waits for their answers.
        cache: makes the questions.
    """

    def __init__(self, ask_and_wait: Wait, cache: AnswerCache) -> None:
        self._ask_and_wait, self._cache = ask_and_wait, cache
        self._restarted: dict[str, None] = {}
        self._lock = threading.Lock()

    def stale(
        self, questions: Sequence[Question], replies: Sequence[_Reply | Problem]
    ) -> list[int]:
        """The places of answers that do not hold; their tasks are to run again."""
        checks: dict[int, Question] = {}
        for place, (question, reply) in enumerate(zip(questions, replies, strict=True)):
            kind = question.task_type
            if not isinstance(kind, Job) or kind.rechecked_by is None:
                continue
            if isinstance(reply, Problem) or not reply.done:
                continue
            with self._lock:
                if question.task.id in self._restarted:
                    del self._restarted[question.task.id]
                    continue
            if (given := kind.recheck(json.loads(reply.body))) is not None:
                checks[place] = self._check(kind.rechecked_by, given)
        if not checks:
            return []
        told, _ = self._ask_and_wait(list(checks.values()), RECHECK_WAIT_S)
        stale = [place for place, reply in zip(checks, told, strict=True) if _refuted(reply)]
        with self._lock:
            for place in stale:
                self._restarted[questions[place].task.id] = None
            while len(self._restarted) > _MOST_RESTARTED:
                del self._restarted[next(iter(self._restarted))]
        return stale

    def _check(self, kind: Job, given: dict[str, object]) -> Question:
        """A question that nobody has asked before, so that its answer is of now."""
        canonical = json.dumps({**given, "asked": secrets.token_hex(8)}).encode()
        task = Task(kind.task_id(canonical), kind.name, canonical)
        return self._cache.question(kind, task, b"{}")


def _refuted(reply: _Reply | Problem) -> bool:
    if isinstance(reply, Problem) or not reply.done:
        return False
    return json.loads(reply.body).get("holds") is False
