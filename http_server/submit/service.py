"""What a server process submits with: the chain, and what its layers share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from doneyet.settings import Settings
from doneyet.task_types import Registry
from doneyet.tracing import Tracing
from http_server.events.looker import Looker
from http_server.kept.keeper import Keeper
from http_server.metrics.hours import HourKeeper
from http_server.redis_outage import Outage
from http_server.submit.chain import (
    Layer,
    Outcome,
    ParsedTask,
    Sleeper,
    SleepingLayer,
    WaitingLayer,
)
from http_server.submit.completions import News
from http_server.submit.long_poll import LongPoll
from http_server.submit.rechecking import Rechecking
from http_server.submit.render import Write
from http_server.submit.shared_round_trips import SharedRoundTrips
from http_server.submit.status_cache import StatusCache
from http_server.wire.answer import answer, answer_at_once
from task_manager.errors import TypeUnavailableError
from task_manager.interface import TaskSubmitter

if TYPE_CHECKING:
    from task_manager.redis.trace_links import TraceLinks


class SubmitService:
    """One per process."""

    def __init__(
        self,
        manager: TaskSubmitter,
        settings: Settings,
        registry: Registry,
        tracing: Tracing | None = None,
    ) -> None:
        self.manager = manager
        self.outage = Outage()
        self.news = News()
        self.news.tell(lambda _ids: None, self._news_changed)
        self.cache = StatusCache(SharedRoundTrips(_Noting(manager, self.outage)), self.news)
        at_once = manager.promises.answers_at_once  # then nothing waits, and nothing is kept
        inner: SleepingLayer = _AtOnce(manager) if at_once else self.cache
        long_poll = LongPoll(inner, self.news, settings.max_waiting, settings.input_ttl_s)
        self.room = long_poll.room
        self.looker = Looker(manager, self.cache, self.news, self.outage, settings.input_ttl_s)
        kept = manager.kept()
        self.keeper: Keeper | None = None
        if kept is not None:
            self.keeper = Keeper(
                kept,
                manager,
                registry,
                settings,
                news=self.news,
                outage=self.outage,
                draining=lambda: self.room.draining,
            )
        self.hours: HourKeeper | None = None
        if settings.hourly_history == "on":
            self.hours = HourKeeper(manager, list(registry.types))
        self.chain: WaitingLayer = long_poll
        self.write: Write = answer_at_once if at_once else answer
        if any(job.rechecked_by for job in registry.jobs.values()):
            self.chain = Rechecking(long_poll)
        self.tracing = tracing
        self._links: TraceLinks | None = None
        if tracing is not None and manager.promises.uses_redis:
            self._note_traces(settings)

    def start(self) -> None:
        """Begins to hear news, and to look after kept tasks and hours."""
        self.news.start(self.manager, partial(self.outage.failed, Outage.NEWS))
        if self.keeper is not None:
            self.keeper.start()
        if self.hours is not None:
            self.hours.start()

    def close(self) -> None:
        """Sends waiting requests off and lets go of the manager."""
        self.room.drain()
        self.looker.close()
        if self.keeper is not None:
            self.keeper.close()
        if self.hours is not None:
            self.hours.close()
        self.news.close()
        self.manager.close()
        if self._links is not None:
            self._links.close()
        if self.tracing is not None:
            self.tracing.close()

    def _note_traces(self, settings: Settings) -> None:
        """Has workers know the traces of requests, where tasks wait for any."""
        from http_server.submit.traced_layer import TracedLayer
        from task_manager.redis.trace_links import TraceLinks

        self._links = TraceLinks(settings.redis_url, settings.key_prefix)
        self.chain = TracedLayer(self.chain, self._links)

    def _news_changed(self) -> None:
        if self.news.connected:
            self.outage.worked(Outage.NEWS)


class _AtOnce:
    """The layer of a manager whose `submit` itself waits for the answers."""

    def __init__(self, inner: Layer) -> None:
        self._inner = inner

    def submit(
        self,
        tasks: Sequence[ParsedTask],
        *,
        discard: bool = False,
        sleeper: Sleeper | None = None,
    ) -> list[Outcome]:
        return self._inner.submit(tasks, discard=discard)


class _Noting:
    """The layer that notes that Redis answers; what fails is noted where it is rendered."""

    def __init__(self, inner: Layer, outage: Outage) -> None:
        self._inner, self._outage = inner, outage

    def submit(self, tasks: Sequence[ParsedTask], *, discard: bool = False) -> list[Outcome]:
        outcomes = self._inner.submit(tasks, discard=discard)
        if TypeUnavailableError in set(map(type, outcomes)):
            self._note_away(tasks, outcomes)
        elif self._outage.known:
            for name in {task.type for task in tasks}:
                self._outage.worked(Outage.of_type(name))
        self._outage.worked(Outage.SUBMITS)
        return outcomes

    def _note_away(self, tasks: Sequence[ParsedTask], outcomes: Sequence[Outcome]) -> None:
        away = {
            task.type: outcome.reason
            for task, outcome in zip(tasks, outcomes, strict=True)
            if isinstance(outcome, TypeUnavailableError)
        }
        for name, reason in away.items():
            self._outage.failed(Outage.of_type(name), reason)
