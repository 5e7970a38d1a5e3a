"""Task types that are models: what an entry of the models table says, and `ModelType`.

An entry names a model, its task says what goes in and out, and its method which engine computes.
Engines live in `engines`, import torch and transformers, and are imported by `load` only.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator

from doneyet.task_types.base import TaskType
from doneyet.task_types.context import RunContext

ENGINES = "doneyet.task_types.models.engines"
"""Where engines live."""

Progress = Callable[[int, float, str], None]


class ModelEntry(BaseModel):
    """One model as the table describes it."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: str = Field(
        min_length=1,
        description="A hub id, a path (beginning with `/`, `./`, `../` or `~`; relative ones are "
        "relative to the table), or `package:NAME/FOLDER` for weights in a Python package.",
    )
    revision: str | None = Field(None, description="Branch, tag or commit on the hub.")
    method: str = Field("", description="How the task is done; empty: the task's first method.")
    version: str = Field("1", description="Change it when the files behind `model` change.")
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    threads: int | None = Field(
        None, ge=1, description="Processor threads; default: the cores divided by --processes."
    )
    max_batch_size: int | None = Field(None, ge=1, le=512)
    max_batch_tokens: int | None = Field(
        None, ge=1, description="Longest input times batch size; default: by device."
    )
    batch_wait_ms: float = Field(0.0, ge=0)
    timeout_s: float | None = Field(None, gt=0)
    result_ttl_s: float | None = Field(None, ge=1)
    max_load: int | None = Field(None, ge=1)
    options: dict[str, Any] = {}
    folder: Path = Path()
    """Where the table is; not part of it."""
    processes: int = 1
    """Worker processes beside this one, itself included; not part of the table."""

    @field_validator("model")
    @classmethod
    def _known_form(cls, model: str) -> str:
        if model.startswith("package:") and not _IN_PACKAGE.fullmatch(model):
            raise ValueError("must look like package:NAME/FOLDER")
        return model


_IN_PACKAGE = re.compile(r"package:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*/.+")


class Prepared(Protocol):
    """What engines make of an input ahead of its run."""

    @property
    def tokens(self) -> int:
        """How long it is for the model, so that inputs of like length are run together."""
        ...


class Engine(Protocol):
    """A loaded model. `inputs` are `Input`s of its task; outputs are dicts of `Output`'s fields."""

    max_batch_tokens: int
    """Longest input times batch size: as the table says, else what suits the device."""
    batch_overhead_tokens: int
    """What one more batch costs on the device, in tokens."""

    def prepare(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Each input tokenized (a `Prepared`), or an exception; called in another thread."""
        ...

    def run(self, prepared: Sequence[Any], progress: Progress) -> Sequence[Any]:
        """An output, or an exception, per prepared input, in order; `progress(index, 0..1, text)`.

        A batch gives the same answers as its inputs one by one, within float tolerance.
        """
        ...


class Options(BaseModel):
    """What stands under `options` in the table; by itself: for tasks whose models have none."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class ModelType(TaskType):
    """A task done by one model of the models table: the task type `<task>/<name>`."""

    task: ClassVar[str]
    """The first part of the type's name, as in `question-answering`."""
    methods: ClassVar[Mapping[str, str]]
    """Method → `module:Class` of its engine; the first is the default."""
    Options: ClassVar[type[Options]] = Options
    """What may stand under `options` in the table."""
    batch_size: ClassVar[int] = 32
    """`max_batch_size` where the table does not say it."""
    code_version: ClassVar[str] = "2"
    """Change it when the code gives other answers with the same model."""

    engine: Engine

    def __init__(self, name: str, entry: ModelEntry) -> None:
        """Checks the entry; nothing is loaded.

        Raises:
            ValueError: the entry has a method or options that this task does not know.
        """
        self.name = f"{self.task}/{name}"
        self.entry = entry
        self.method = entry.method or next(iter(self.methods))
        if self.method not in self.methods:
            raise ValueError(
                f"method {self.method!r} is none of {self.task}'s; there are: "
                f"{', '.join(self.methods)}"
            )
        self.options = self.Options.model_validate(entry.options)
        self.version = self._version()
        self.max_batch_size = entry.max_batch_size or self.batch_size
        self.batch_wait_ms = entry.batch_wait_ms
        self.timeout_s = entry.timeout_s
        self.result_ttl_s = entry.result_ttl_s
        self.max_load = entry.max_load

    def load(self) -> None:
        module, _, engine = self.methods[self.method].partition(":")
        self.engine = getattr(importlib.import_module(module), engine)(self.entry, self.options)
        self.max_batch_cost = float(self.engine.max_batch_tokens)
        self.batch_overhead = float(self.engine.batch_overhead_tokens)

    def prepare(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return self.engine.prepare(inputs)

    def cost(self, item: Prepared) -> float:
        return float(item.tokens)

    def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:
        try:
            return self.engine.run(inputs, context.progress)
        except RuntimeError:
            from doneyet.task_types.models.engines.runtime.device import end_if_device_is_lost

            end_if_device_is_lost()
            raise

    def _version(self) -> str:
        """Part of every task id, so that another model or option never serves these answers."""
        entry = self.entry
        said = [self.method, entry.model, entry.revision, entry.version, entry.dtype]
        text = repr([*map(str, said), sorted(self.options.model_dump(mode="json").items())])
        return f"{self.code_version}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
