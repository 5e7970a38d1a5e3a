"""One thread of the coordinator: claims a job, runs it, stores what came of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from doneyet.task_types import Job, Registry
from doneyet.task_types.answer import Answer, answer_of, failure
from doneyet.task_types.error_text import described, named, traced
from doneyet.task_types.job import StoppedError
from task_manager.errors import PartlyUnavailableError, UnavailableError
from task_manager.interface import TaskClaimer, TaskSubmitter
from task_manager.values import Claim, result_of
from worker.jobs.completions import ItemCompletions
from worker.jobs.job_context import RunningJob

log = logging.getLogger(__name__)

IDLE_WAIT_S = 0.5
AWAY_WAIT_S = 0.5
FAILED_WAIT_S = 5.0


class Slot:
    """Runs one job at a time in the name of `owner`, whose lease somebody else keeps.

    Args:
        owner: this slot's own.
        manager: where jobs are claimed.
        submitter: where jobs ask their items.
        registry: all task types.
        served: those that are claimed here.
        completions: of what jobs asked.
        register: lets the owner claim again, of these types, after its claims were ended.
    """

    def __init__(
        self,
        owner: str,
        manager: TaskClaimer,
        submitter: TaskSubmitter,
        *,
        registry: Registry,
        served: Mapping[str, Job],
        completions: ItemCompletions,
        register: Callable[[str, Sequence[str]], None],
    ) -> None:
        self.owner = owner
        self._manager, self._submitter, self._registry = manager, submitter, registry
        self._completions = completions
        self.names = list(served)
        self._served, self._register = served, register
        self._unclear: list[str] = []  # types of which this owner may hold what it does not know
        self._stopping = threading.Event()
        self._job: RunningJob | None = None
        self._thread = threading.Thread(target=self._run, name="job", daemon=True)

    def start(self) -> None:
        """Begins to claim."""
        self._thread.start()

    def stop(self) -> None:
        """Claims nothing more, and ends the job at its next step."""
        self._stopping.set()
        if (job := self._job) is not None:
            job.stop()

    def cancel(self, ids: Collection[str]) -> None:
        """Ends the job at its next step if it is one of `ids`."""
        job = self._job
        if job is not None and job.task_id in ids:
            job.cancel()

    @property
    def alive(self) -> bool:
        """Whether it has begun and not ended."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.run_once()
            except UnavailableError:
                self._unclear = self.names
            except Exception:
                log.exception("a slot for jobs failed; it goes on")
                self._unclear = self.names
            self._give_back_the_unknown()

    def run_once(self) -> None:
        """Waits a little for a job and runs it.

        Raises:
            UnavailableError: Redis was away at the claim, which may have happened.
        """
        stopping = self._stopping.is_set
        names = [name for name in self.names if name not in self._unclear]
        try:
            claims = self._manager.claim(self.owner, names, 1, wait_s=IDLE_WAIT_S, unless=stopping)
        except PartlyUnavailableError as error:
            claims = list(error.claims)
            self._unclear = [
                name for name in self.names if name in {*self._unclear, *error.reasons}
            ]
        for claim in claims:
            if stopping():  # since it was on its way; what begins would only be stopped again
                self._release(claim)
            else:
                self._handle(claim)

    def _handle(self, claim: Claim) -> None:
        kind = self._served[claim.type]
        job = RunningJob(
            claim,
            self.owner,
            self._manager,
            submitter=self._submitter,
            registry=self._registry,
            completions=self._completions,
        )
        self._completions.add(job)
        self._job = job
        if self._stopping.is_set():
            job.stop()
        say = log.info if kind.endpoint else log.debug  # checks are asked all the time
        say("%s begins", named(claim.type, [claim.id]))
        try:
            answer = run_job(kind, claim, job)
        except StoppedError:
            log.info("%s is stopped", named(claim.type, [claim.id]))
            if job.cancelled:
                self._unclear = self.names  # nothing of the claim is left then
                self._give_back_the_unknown()
            else:
                self._release(claim)
            return
        finally:
            self._job = None
            self._completions.remove(job)
        say("%s %s", named(claim.type, [claim.id]), "is done" if answer.done else "failed")
        result = result_of(kind, claim.id, *answer)
        self._until_stored(lambda: self._manager.finish(self.owner, [result]))

    def _release(self, claim: Claim) -> None:
        self._until_stored(lambda: self._manager.release(self.owner, [claim]))

    def _until_stored(self, store: Callable[[], object]) -> None:
        """Calls `store` until Redis is there; a worker that stops tries for one more second."""
        give_up_s: float | None = None
        while True:
            try:
                store()
                return
            except UnavailableError:
                if self._stopping.is_set():
                    give_up_s = give_up_s or time.monotonic() + 1.0
                    if time.monotonic() > give_up_s:
                        return  # the lease lapses, and the job runs again from what is answered
                time.sleep(AWAY_WAIT_S)

    def _give_back_the_unknown(self) -> None:
        """Ends whatever this owner holds of types that are unclear: it runs nothing, so that can
        only be a lost claim. Returns when some type is clear."""
        while self._unclear and not self._stopping.is_set():
            unclear = self._unclear
            try:
                try:
                    self._manager.recover(self.owner, unclear, running=())
                    self._unclear = []
                except PartlyUnavailableError as error:
                    self._unclear = list(error.reasons)
                self._register(self.owner, [n for n in unclear if n not in self._unclear])
                return
            except UnavailableError:
                self._unclear = unclear
                if len(unclear) < len(self.names):
                    return
                self._stopping.wait(AWAY_WAIT_S)
            except Exception:
                log.exception("claims of a slot for jobs could not be given back; trying again")
                self._stopping.wait(FAILED_WAIT_S)


def run_job(kind: Job, claim: Claim, context: RunningJob) -> Answer:
    """What came of the job.

    Raises:
        StoppedError: it was told to end.
    """
    try:
        item = kind.from_canonical(claim.input)
        echo = kind.echo_json(item)  # before the job could change it
    except BaseException as error:  # a validator of its own may raise anything
        log.warning("%s is refused: %s", named(kind.name, [claim.id]), described(error))
        return failure("invalid-input", f"this worker refuses the input: {described(error)}")
    try:
        return answer_of(kind, echo, kind.coordinate(item, context), claim.id)
    except StoppedError:
        raise
    except BaseException as error:  # also what is meant to end a process: it is this job's
        task = named(kind.name, [claim.id])
        log.warning("%s failed: %s\n%s", task, described(error), traced(error))
        return answer_of(kind, echo, error, claim.id)
