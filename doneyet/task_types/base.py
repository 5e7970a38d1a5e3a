"""The base class of task types."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from doneyet.task_types.schemas.canonical_json import canonical_json, echo_json
from doneyet.task_types.task_id import task_id_of

RESERVED_FIELDS = frozenset(
    {"done", "load", "id", "status", "type", "progress", "error", "attempts"}
    | {"submitted_at", "started_at", "finished_at"}
)
"""Names that the answer object uses itself; neither an input nor an output may take one."""


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

    coordinated: bool = False
    """Whether it is a `Job`, which says so itself."""

    run: Callable[..., Sequence[Any]]
    """`run(self, inputs)`, or `run(self, inputs, context)` with a `RunContext`: answers `inputs`,
    which are validated `Input` objects, or what `prepare` made of them.

    It returns as many items in the same order, each an `Output`, or an exception where that one
    input failed; its message is shown to the client. Where `run` raises, the whole batch failed;
    it is then split until the guilty input is alone.
    """

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

    def cost(self, item: Any) -> float:
        """What one input weighs against `max_batch_cost` (for a text model: its tokens).

        `item` is a validated `Input`, or what `prepare` made of it. What is raised here, or is no
        number from 0 to 1e12, fails that input.
        """
        return 1.0

    def canonical(self, item: BaseModel) -> bytes:
        """`item` as JSON that is the same for equal inputs; see `canonical_json`.

        Raises:
            ValueError: it holds something that JSON cannot carry, such as NaN.
        """
        return canonical_json(self.Input, item)

    def from_canonical(self, text: bytes) -> BaseModel:
        """A new `Input` from canonical JSON, which has fields by their names, not their aliases.

        Raises:
            pydantic.ValidationError: it is no input of this type; it may be one of newer code,
                whose field this one does not know and must not leave out.
        """
        return self.Input.model_validate_json(text, by_alias=False, by_name=True, extra="forbid")

    def task_id(self, canonical_input: bytes) -> str:
        """The task's id: the type's tag, then the hash of (type, version, canonical input)."""
        return task_id_of(self.name, self.version)(canonical_input)

    def echo_json(self, item: BaseModel) -> bytes:
        """The input fields that the answer repeats, as a JSON object."""
        return echo_json(self.Input, item, None if self.echo is None else set(self.echo))
