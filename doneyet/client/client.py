"""`Client`: submits to a doneyet server and polls it until the answer is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from doneyet.client.answers import Outcome, outcome_of, read_answer
from doneyet.client.bulk import Mapper
from doneyet.client.errors import Answer, ClientError, NotDoneError, SomeFailedError
from doneyet.client.events import Event, follow
from doneyet.client.inputs import all_to_json, checked_id, merged, to_json
from doneyet.client.keeping import NOTHING, keeping_headers
from doneyet.client.key import key_header
from doneyet.client.operations import Operations
from doneyet.client.progress import progress_display, total_of
from doneyet.client.retry import Backoff, Deadline, patiently
from doneyet.client.transport import Reply, Transport

DEFAULT_URL = "http://localhost:8080"
PROGRESS_EVERY_S = 1.0
"""How long a request is held where somebody wants to see progress; whole seconds can be asked."""


class Client(Operations):
    """A client of the doneyet server at `url`. Threads may share it, and forked processes.

    Args:
        url: where the server is, with a path if it is mounted at one. A user and a
            password in it are sent as HTTP's Basic authentication, and never shown.
        patience_s: how long to retry while the server cannot be reached or cannot serve
            (connection errors, 429, 502, 503, 504), counted from the last time that it worked.
        wait_s: how long one request asks to be held (`Prefer: wait`); 0: never.
        headers: more headers for every request, such as those of an authenticating proxy.
        key: the API key, where the server wants one; by default what DONEYET_KEY says, and ""
            sends none. It is sent as `X-API-Key`, and never shown.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        patience_s: float = 60.0,
        wait_s: float = 20.0,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> None:
        self.patience_s, self.wait_s = patience_s, wait_s
        self._transport = Transport(url, {**(headers or {}), **key_header(key)})

    def run(
        self,
        endpoint: str,
        given: Any = None,
        /,
        *,
        timeout_s: float | None = None,
        on_pending: Callable[[Answer], None] | None = None,
        keep_s: float = 0.0,
        webhook_url: str | None = None,
        webhook_events: Sequence[str] = (),
        **fields: Any,
    ) -> Answer:
        """The answer to one input, as soon as it is there: `run("factorize", number=408216)`.

        The input is `given` with `fields` added; use `given` for fields that are called like an
        argument, and for a row of pandas, a pydantic model or a dataclass. Values may be numpy's.

        `on_pending` sees answers that are not done yet (their `status`, `progress`): the first at
        once, then one a second, since requests are held for no longer where it is given. The
        answer comes as soon as without it.

        `keep_s`, `webhook_url`, `webhook_events`: as `ask`.

        Raises:
            TypeError, ValueError: the input is not JSON, as with NaN; says which field.
            TaskFailedError: the task failed, or was cancelled (TaskCancelledError).
            InvalidInputError: the input is wrong; the message says the fields.
            NotFoundError: no task type is served at `endpoint`.
            NotDoneError: not done within `timeout_s`.
            UnavailableError: the server could not serve for longer than the client's patience.
        """
        keeping = keeping_headers(keep_s, webhook_url, webhook_events)
        text, deadline, backoff = to_json(merged(given, fields)), Deadline(timeout_s), Backoff()
        held_s = self.wait_s if on_pending is None else 0.0
        while True:
            reply = self._post(endpoint, text, deadline.cap(held_s), deadline, keeping)
            answer = read_answer(reply.body)
            if answer["done"]:
                outcome = outcome_of(answer)
                if isinstance(outcome, ClientError):
                    raise outcome
                return outcome
            if deadline.timeout_s is not None and deadline.passed:
                raise NotDoneError(answer, deadline.timeout_s)
            if on_pending is not None:
                on_pending(answer)
                if held_s == 0.0 < self.wait_s:  # asked without being held, to tell how it is
                    held_s = min(self.wait_s, PROGRESS_EVERY_S)
                    continue
            deadline.pause(backoff.after(reply.took_s, held_s, reply.retry_after_s))

    def ask(
        self,
        endpoint: str,
        given: Any = None,
        /,
        *,
        keep_s: float = 0.0,
        webhook_url: str | None = None,
        webhook_events: Sequence[str] = (),
        **fields: Any,
    ) -> Answer:
        """The answer as it is now, done or not: one request, which is not held.

        A failed task is an answer too, with an `error` object in it.

        Args:
            endpoint: where the task type is served, such as `factorize`.
            given: the input, as of `run`.
            keep_s: keeps the task alive for so long though nobody asks for it any more, at most
                for as long as the server allows (DONEYET_MAX_KEEP_S).
            webhook_url: who is told when the task is done, failed or cancelled; keeps it alive.
            webhook_events: what else is told: `completed`, `started`, `progress`.
            fields: more fields of the input.

        Raises:
            TypeError, ValueError: an argument cannot be sent; says which.
            ProblemError: the server refuses, or cannot be reached; a subclass says which.
        """
        keeping = keeping_headers(keep_s, webhook_url, webhook_events)
        text = to_json(merged(given, fields))
        return read_answer(self._transport.send("POST", endpoint, text, more=keeping).body)

    def map(
        self,
        endpoint: str,
        inputs: Iterable[Any],
        *,
        errors: Literal["raise", "return"] = "raise",
        progress: bool = False,
        timeout_s: float | None = None,
        keep_s: float = 0.0,
        webhook_url: str | None = None,
        webhook_events: Sequence[str] = (),
    ) -> list[Outcome]:
        """The answers to all inputs (mappings), in their order; see `imap` for the arguments.

        Raises:
            SomeFailedError: with `errors="raise"`, once everything else is answered. It has the
                answers too.
        """
        _check_word(errors)
        outcomes = list(
            self.imap(
                endpoint,
                inputs,
                errors="return",
                progress=progress,
                timeout_s=timeout_s,
                keep_s=keep_s,
                webhook_url=webhook_url,
                webhook_events=webhook_events,
            )
        )
        return _raised(outcomes) if errors == "raise" else outcomes

    def imap(
        self,
        endpoint: str,
        inputs: Iterable[Any],
        *,
        errors: Literal["raise", "return"] = "raise",
        progress: bool = False,
        timeout_s: float | None = None,
        keep_s: float = 0.0,
        webhook_url: str | None = None,
        webhook_events: Sequence[str] = (),
    ) -> Iterator[Outcome]:
        """The answers to all inputs, one by one in their order, while later ones still run.

        Reads a few thousand inputs ahead, so that `inputs` may be longer than memory. Stopping
        half-way loses nothing: run it again, and what is done comes from the server's results.

        Args:
            endpoint: where the task type is served, such as `factorize`.
            inputs: one mapping per task, or a row of pandas, a pydantic model, a dataclass; or a
                data frame, row by row.
            errors: `raise` raises an input's error when its turn comes; `return` gives the
                exception in the place of the answer.
            progress: shows a bar on a terminal's standard error, else a line now and then. Requests
                are held for at most a second or two then, so that it moves.
            timeout_s: inputs that are not answered by then become a `NotDoneError`.
            keep_s, webhook_url, webhook_events: as of `ask`, for each input that was submitted.

        Raises:
            TypeError, ValueError: an input is not JSON, as with NaN; says which, and which field.
            NotFoundError: no task type is served at `endpoint`.
            UnavailableError: the server could not serve for longer than the client's patience.
        """
        _check_word(errors)
        keeping = keeping_headers(keep_s, webhook_url, webhook_events)
        with progress_display(endpoint, total_of(inputs), shown=progress) as display:
            for outcome in self.outcomes(
                endpoint,
                all_to_json(inputs),
                display.update,
                timeout_s,
                shown=progress,
                keeping=keeping,
            ):
                if errors == "raise" and isinstance(outcome, ClientError):
                    raise outcome
                yield outcome

    def submit_many(
        self,
        endpoint: str,
        inputs: Iterable[Any],
        *,
        errors: Literal["raise", "return"] = "raise",
        keep_s: float = 0.0,
        webhook_url: str | None = None,
        webhook_events: Sequence[str] = (),
    ) -> list[Outcome]:
        """The answers to all inputs as they are now, done or not: to submit them and leave.

        In arrays, which are not held. Returns once the server has taken every input; one that it
        has no room for is submitted again, for as long as the client's patience.

        Tasks of which nobody asks any more expire after a while (DONEYET_INPUT_TTL_S), unless they
        are kept (`keep_s`, `webhook_url`). Fetch them by `task`, or submit the inputs again.

        Args:
            endpoint: where the task type is served, such as `factorize`.
            inputs: as of `imap`.
            errors: `raise` raises once everything else is submitted, where an input was refused or
                its task has failed already; `return` gives the exception in the place of the
                answer.
            keep_s, webhook_url, webhook_events: as of `ask`, for each input.

        Raises:
            SomeFailedError: with `errors="raise"`. It has the answers of the others, too.
            TypeError, ValueError, NotFoundError, UnavailableError: as `imap`.
        """
        _check_word(errors)
        outcomes = list(
            self.outcomes(
                endpoint,
                all_to_json(inputs),
                lambda _finished, _failed: None,
                leave=True,
                keeping=keeping_headers(keep_s, webhook_url, webhook_events),
            )
        )
        return _raised(outcomes) if errors == "raise" else outcomes

    def outcomes(
        self,
        endpoint: str,
        texts: Iterable[str],
        on_progress: Callable[[int, int], None],
        timeout_s: float | None = None,
        *,
        shown: bool = False,
        leave: bool = False,
        keeping: Mapping[str, str] = NOTHING,
    ) -> Iterator[Outcome]:
        """`imap` for inputs that are JSON already; `on_progress` gets (finished, failed) counts,
        every second or two where they are `shown`. `leave`: as `submit_many`, an answer that is not
        done is one, too. `keeping`: headers of each submit."""
        deadline = Deadline(timeout_s)

        def post(text: str, wait_s: float) -> Reply:
            return self._post(endpoint, text, deadline.cap(wait_s), deadline, keeping)

        wait_s = min(self.wait_s, 2 * PROGRESS_EVERY_S) if shown else self.wait_s
        mapper = Mapper(
            post,
            wait_s=0.0 if leave else wait_s,
            leave=leave,
            patience_s=self.patience_s,
            deadline=deadline,
            on_progress=on_progress,
        )
        return mapper.run(texts)

    def task(self, task_id: str) -> Answer:
        """A task's answer, with times and attempts. Does not keep the task alive.

        Raises:
            NotFoundError: it is unknown or expired.
            ValueError: `task_id` is not an id.
        """
        return read_answer(self._transport.send("GET", f"tasks/{checked_id(task_id)}").body)

    def events(
        self, task_id: str, *, timeout_s: float | None = None, patience_s: float | None = None
    ) -> Iterator[Event]:
        """How a task goes on, as it happens: its states, its progress, at last its answer.

        Keeps the task alive. A connection that breaks is made again, and nothing is told twice. The
        answer is told whatever it is, also that the task failed.

        Args:
            task_id: the `id` of an answer, as of `ask`.
            timeout_s: stops then.
            patience_s: how long to retry, instead of the client's own patience.

        Raises:
            NotFoundError: it is unknown or expired, or the server has no such streams.
            NotDoneError: there was no answer within `timeout_s`.
            UnavailableError: the server could not serve for longer than `patience_s`, or has as
                many streams and held requests as it may have.
            ValueError: `task_id` is not an id.
        """
        path = f"tasks/{checked_id(task_id)}/events"

        def lines(last_id: str, silent_s: float | None) -> Iterator[bytes]:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            return self._transport.lines(path, headers, silent_s)

        patience_s = self.patience_s if patience_s is None else patience_s
        return follow(lines, patience_s, Deadline(timeout_s))

    def cancel(self, task_id: str) -> Answer:
        """Cancels a task, for all clients.

        Raises:
            NotFoundError: it is unknown or expired.
            AlreadyTerminalError: it is done already.
            ValueError: `task_id` is not an id.
        """
        return read_answer(self._transport.send("DELETE", f"tasks/{checked_id(task_id)}").body)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(
        self,
        endpoint: str,
        text: str,
        wait_s: float,
        deadline: Deadline,
        keeping: Mapping[str, str],
    ) -> Reply:
        def request() -> Reply:
            held_s = deadline.cap(wait_s)
            return self._transport.send("POST", endpoint, text, wait_s=held_s, more=keeping)

        return patiently(request, self.patience_s, deadline)


def _check_word(errors: str) -> None:
    """Raises `ValueError` for what `errors` cannot be, before anything is sent."""
    if errors not in ("raise", "return"):
        raise ValueError(f"errors must be 'raise' or 'return', not {errors!r}")


def _raised(outcomes: list[Outcome]) -> list[Outcome]:
    """`outcomes`; a `SomeFailedError` where there are errors among them."""
    if any(isinstance(item, ClientError) for item in outcomes):
        raise SomeFailedError(outcomes)
    return outcomes
