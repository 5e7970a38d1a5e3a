"""The base class of task types."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from doneyet.task_types.schemas.canonical_json import canonical_json, echo_json

if TYPE_CHECKING:
    from doneyet.task_types.job import Coordination

RESERVED_FIELDS = frozenset(
    {"done", "load", "id", "status", "type", "progress", "error", "attempts"}
    | {"submitted_at", "started_at", "finished_at"}
)
"""Names that the answer object uses itself; neither an input nor an output may take one."""

TYPE_TAG_LENGTH = 8
"""Hex digits at the start of a task id that name its type."""

ProgressReport = Callable[[int, float, str], None]
Recall = Callable[[str, str], dict[str, Any] | None]


class TaskType:
    """One kind of work, with a queue of its own. Subclass it.

    A subclass names itself, says what goes in and out, and runs batches:

        class Factorization(TaskType):
            name, endpoint, version = "factorization", "/factorize", "1"
            class Input(BaseModel): number: int
            class Output(BaseModel): factorization_str: str
            def run(self, inputs): ...

    `None` for a limit means the setting of the same name decides.
    """

    name: str
    """The queue's name, such as `question-answering/roberta`."""
    endpoint: str
    """Where it is served, such as `/factorize`."""
    version: str = "1"
    """Part of every task id: change it when the same input gets a different answer."""
    description: str = ""
    """One sentence for the API reference; the class docstring's first line if empty."""
    example: dict[str, Any] = {}
    """An input that works: shown in the API reference, and used to warm a model up."""
    text_field: str | None = None
    """The input field that a `text/plain` body fills, where the input is one text."""

    Input: ClassVar[type[BaseModel]]
    Output: ClassVar[type[BaseModel]]
    echo: frozenset[str] | None = None
    """Input fields repeated in the answer; None: all."""

    coordinated: bool = False
    """Run by a thread of a worker's supervisor, which calls `coordinate` instead of `run`: for
    work that mostly waits, such as submitting many other tasks. It never occupies a model."""

    rechecked_by: TaskType | None = None
    """A coordinated type that says whether an answer of this type still holds, where answers are
    about what can change outside, as files do. Each time a done task is submitted again, this
    runs with what `recheck` gives; where it answers `{"holds": false}`, the task runs again.
    It is declared here and nowhere else, has all its limits, and no endpoint."""

    max_batch_size: int = 1
    """Most inputs that one `run` gets."""
    batch_wait_ms: float = 0.0
    """How long a batch that is not full waits for more, ms from its first input."""
    max_batch_cost: float | None = None
    """Most `cost` that one batch may have, with its dearest input standing for each (padding)."""
    batch_overhead: float = math.inf
    """What one more batch costs, in units of `cost`: inputs are not padded for more than that."""
    timeout_s: float | None = None
    """How long one `run` may take, s; after that its process is killed. None: no limit."""
    input_ttl_s: float | None = None
    result_ttl_s: float | None = None
    failure_ttl_s: float | None = None
    max_attempts: int | None = None
    max_load: int | None = None

    report_progress: ProgressReport | None = None
    """Set by the worker while `run` runs; call `progress` instead."""
    recall_answer: Recall | None = None
    """Set by whoever runs the type; call `recall` instead."""
    loaded: bool = False
    """Whether `load` has returned in this process; set by whoever called it."""

    def load(self) -> None:
        """Makes the type ready to run; called once per worker process. Heavy imports go here."""

    def prepare(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """What `cost` and `run` get in the place of each of `inputs` (validated `Input` objects).

        Called in another thread while the batch before computes: for tokenizing, decoding and the
        like. Define it only where there is such work.

        Returns:
            As many items in the same order, an exception where that one input is refused.
        """
        # At most `max_batch_size` at once, within `timeout_s`; who takes longer is tried alone.
        return inputs

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Answers `inputs`: validated `Input` objects, or what `prepare` made of them.

        Returns:
            As many items in the same order, each an `Output`, or an exception where that one
            input failed; its message is shown to the client.

        Raises:
            Exception: the whole batch failed; it is then split until the guilty input is alone.
        """
        raise NotImplementedError(f"{type(self).__name__} must define run()")

    def coordinate(self, item: Any, coordination: Coordination) -> Any:
        """Answers one `Input` of a coordinated type, in a thread that may wait as long as it likes.

        Returns:
            An `Output`.

        Raises:
            StoppedError: from `coordination`, to be passed on: the task goes back.
            Exception: the task failed; the message is shown to the client.
        """
        raise NotImplementedError(f"{type(self).__name__} must define coordinate()")

    def recheck(self, answer: dict[str, Any]) -> dict[str, Any] | None:
        """The input of `rechecked_by` for a finished `answer` (it gets `asked` as well, which is
        never the same); None if there is nothing to check."""
        return None

    def cost(self, item: Any) -> float:
        """What one input weighs against `max_batch_cost` (for a text model: its tokens).

        `item` is a validated `Input`, or what `prepare` made of it. What is raised here, or is no
        number from 0 to 1e12, fails that input.
        """
        return 1.0

    def progress(self, index: int, fraction: float, message: str = "") -> None:
        """Tells clients how far `inputs[index]` is: `fraction` from 0 to 1."""
        if self.report_progress is not None:
            self.report_progress(index, fraction, message)

    def recall(self, type_name: str, task_id: str) -> dict[str, Any] | None:
        """The finished answer of another task: its outputs and echoed inputs.

        None if there is no such answer: never submitted, not finished, failed or expired.
        """
        return None if self.recall_answer is None else self.recall_answer(type_name, task_id)

    def canonical(self, item: BaseModel) -> bytes:
        """`item` as JSON that is the same for equal inputs; see `canonical_json`.

        Raises:
            ValueError: it holds something that JSON cannot carry, such as NaN.
        """
        return canonical_json(self.Input, item)

    def from_canonical(self, text: bytes) -> BaseModel:
        """A new `Input` from canonical JSON, which has fields by their names, not their aliases.

        Raises:
            pydantic.ValidationError: it is no input of this type.
        """
        return self.Input.model_validate_json(text, by_alias=False, by_name=True)

    def task_id(self, canonical_input: bytes) -> str:
        """The task's id: the type's tag, then the hash of (type, version, canonical input)."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (self.name.encode(), self.version.encode(), canonical_input):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return type_tag(self.name) + digest.hexdigest()

    def echo_json(self, item: BaseModel) -> bytes:
        """The input fields that the answer repeats, as a JSON object."""
        return echo_json(self.Input, item, None if self.echo is None else set(self.echo))


@cache
def type_tag(name: str) -> str:
    """The first `TYPE_TAG_LENGTH` characters of every id of the task type called `name`."""
    return hashlib.blake2b(name.encode(), digest_size=TYPE_TAG_LENGTH // 2).hexdigest()
