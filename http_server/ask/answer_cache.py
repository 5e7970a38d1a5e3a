"""What this process knows already, so that most polls need no Redis.

Three kinds of knowledge, each with its own end:
- what a body means (the task it asks for): for ever, it is a pure function of the body;
- a finished answer: while news comes and none was about it, until its result expires;
- a pending answer, and a type's load: `REPEAT_S`.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass

from doneyet.task_types import TaskType
from http_server.ask.completions import News
from http_server.ask.fifo_cache import FifoCache
from http_server.wire.answer import Answer, compose
from task_manager.interface import Status, Task

REPEAT_S = 0.25
"""How old an answer may be, its load included."""

KEPT_S = 10.0
"""How long a finished answer is believed without asking again. It bounds what a wall clock that
differs from Redis' could do to a result near its expiry."""

MOST_BYTES = 48 * 1024 * 1024
"""What the bodies that are remembered may take, and what the finished answers may take: all of it,
as keys, inputs, echoes and answers."""

_OVERHEAD = 1000  # bytes of Python objects around one question
_KEY_OVERHEAD = 700  # around one body's key
_ANSWER_OVERHEAD = 500

_numbers = itertools.count(1)

BodyKey = tuple[str, str, str, bytes]
"""Path, content type, query string, body: all that a request's meaning depends on."""


@dataclass(frozen=True, slots=True)
class Known:
    """An answer, and on what its validity rests."""

    answer: Answer
    load: int
    at_s: float
    epoch: int
    news: int
    expires_ms: int | None


class Question:
    """One task that this process was asked about. There is one per task id."""

    __slots__ = ("__weakref__", "echo", "known", "news", "task", "task_type")

    def __init__(self, task_type: TaskType, task: Task, echo: bytes) -> None:
        self.task_type, self.task, self.echo = task_type, task, echo
        self.known: Known | None = None
        self.news = 0
        """Another number after each news about the task; an answer from before the latest is not
        believed."""

    @property
    def size(self) -> int:
        """Bytes that remembering it takes."""
        return len(self.task.input) + 2 * len(self.echo) + _OVERHEAD  # echoed once more in `known`


class AnswerCache:
    """Questions by body and by id, with their answers."""

    def __init__(
        self, news: News, *, most_entries: int = 100_000, most_bytes: int = MOST_BYTES
    ) -> None:
        self._news = news
        self._by_id: weakref.WeakValueDictionary[str, Question] = weakref.WeakValueDictionary()
        self._by_body: FifoCache[BodyKey, Sequence[Question]] = FifoCache(most_entries, most_bytes)
        self._finished: FifoCache[str, Question] = FifoCache(most_entries, most_bytes, _forget)
        self._loads: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()
        news.tell(self._heard, lambda: None)

    def question(self, task_type: TaskType, task: Task, echo: bytes) -> Question:
        """The question about `task`, the same object for everybody who has it."""
        found = self._by_id.get(task.id)
        if found is not None:
            return found
        with self._lock:
            found = self._by_id.get(task.id)  # again: another thread may just have made it
            if found is None:
                found = self._by_id[task.id] = Question(task_type, task, echo)
            return found

    def remembered(self, key: BodyKey) -> Sequence[Question] | None:
        """The questions that a body was found to ask; a tuple for one, a list for an array."""
        return self._by_body.get(key)

    def remember(self, key: BodyKey, questions: Sequence[Question]) -> None:
        """Keeps what a body asks."""
        kept = sum(map(len, key)) + sum(question.size for question in questions)
        self._by_body.put(key, questions, _KEY_OVERHEAD + kept)

    def learn(self, question: Question, status: Status, news: int, epoch: int) -> Answer:
        """The answer for `status`, kept as long as it may be repeated. `news` and `epoch` are
        those from before Redis was asked, so that news on the way makes it doubtful."""
        now_s = time.monotonic()
        answer = compose(question.task_type, status, question.echo)
        self._loads[status.type] = (status.load, now_s)
        known = Known(answer, status.load, now_s, epoch, news, status.expires_ms)
        if not answer.done:
            question.known = known
        elif question.task_type.coordinated:
            question.known = None  # it may not hold any more the next time
        else:
            size = len(answer.head) + len(answer.tail) + _ANSWER_OVERHEAD + question.size
            question.known = known
            if not self._finished.put(question.task.id, question, size):
                question.known = None
        return answer

    def answer(self, question: Question, now_s: float) -> Known | None:
        """The answer if it is still good; the load of a finished one is `load`'s business."""
        known = question.known
        news = self._news
        if known is None or known.news != question.news or known.epoch != news.epoch:
            return None
        if not news.connected:
            return None
        if not known.answer.done:
            return known if now_s - known.at_s <= REPEAT_S else None
        if now_s - known.at_s > KEPT_S:
            return None
        if known.expires_ms is not None and time.time() * 1000 >= known.expires_ms:
            return None
        return known

    def load(self, type_name: str, now_s: float) -> int | None:
        """The type's load if it was learned within `REPEAT_S`."""
        load, at_s = self._loads.get(type_name, (0, 0.0))
        return load if now_s - at_s <= REPEAT_S else None

    def latest_load(self, type_name: str, known: Known) -> int:
        """The newest load for an answer: a pending one's own, or what the type's is by now."""
        return known.load if not known.answer.done else self._loads[type_name][0]

    def whole(self, question: Question, now_s: float) -> tuple[Answer, int] | None:
        """The answer and its load, if both are still good."""
        known = self.answer(question, now_s)
        if known is None:
            return None
        if not known.answer.done:
            return known.answer, known.load
        load = self.load(question.task.type, now_s)
        return None if load is None else (known.answer, load)

    def echo(self, task_id: str) -> bytes:
        """The echoed inputs of a task that was asked about here lately, else `{}`."""
        question = self._by_id.get(task_id)
        return b"{}" if question is None else question.echo

    def doubt(self, task_id: str) -> None:
        """Something happened to the task: what is known of it is not believed any more."""
        question = self._by_id.get(task_id)
        if question is not None:
            question.news = next(_numbers)  # not `+= 1`: two threads might make one of two news
            question.known = None

    def _heard(self, ids: Sequence[str]) -> None:
        for task_id in ids:
            self.doubt(task_id)


def _forget(question: Question) -> None:
    question.known = None
