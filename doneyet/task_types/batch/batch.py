"""File-to-file jobs: every item of a file is submitted as a task, the answers become a file.

All workers share the items, items that were answered before cost nothing, and a job that is begun
again, after a crash or a deployment, is soon where it was. Nothing of it is kept but its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, create_model, model_validator

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings
from doneyet.task_types.base import TaskType
from doneyet.task_types.batch.compression import check_name
from doneyet.task_types.batch.items import count_items, read_items
from doneyet.task_types.batch.run import BatchRun, ItemError
from doneyet.task_types.batch.storage.errors import StorageError
from doneyet.task_types.batch.storage.files import Files
from doneyet.task_types.batch.storage.places import Places
from doneyet.task_types.batch.storage.scratch import scratch_files
from doneyet.task_types.job import Job, JobContext, StoppedError
from doneyet.task_types.registry import Registry

INPUT_TTL_S = 86_400.0
"""Submitted once, a job is done even if nobody polls it: its answer is a file."""
RESULT_TTL_S = 300.0
"""While its files stay as they are, submitting it again does nothing. After that, items that had
failed are tried again, the others are answered from results."""
MAX_ATTEMPTS = 10
"""A job goes on where it was, so that a worker that ends costs it little."""

SUMMARIZE = "/summarize_text"
ERROR = "error"
"""The member of an output's element that says why its item failed."""
MakeFiles = Callable[[Callable[[float], None]], Files]


def task_types(settings: Settings) -> list[TaskType]:
    """The types of jobs; none where the setting `storage` allows no place.

    Raises:
        SettingError: that setting names something that is no place.
    """
    try:
        places = Places.parse(settings.storage)
    except ValueError as error:
        raise SettingError(f"{env_name('storage')}: {error}") from error
    if not places:
        return []

    def files(sleep: Callable[[float], None]) -> Files:
        return Files(places, gdrive_credentials=settings.gdrive_credentials, sleep=sleep)

    check = BatchCheck(files)
    return [Batch(places, files, check), SummarizeBatch(places, files, check)]


class _FileToFile(Job):
    """What both types of jobs have in common."""

    input_ttl_s, result_ttl_s = INPUT_TTL_S, RESULT_TTL_S
    max_attempts = MAX_ATTEMPTS

    class Output(BaseModel):
        items: int = Field(description="Items of the input.")
        succeeded: int = Field(description="In a dry run: how many could be submitted.")
        failed: int = Field(description="Items that failed; each has an `error` in the output.")
        written: str | None = Field(description="Where the output is; null in a dry run.")
        versions: dict[str, str | None] = Field(
            description="Of input and output, by where they are. Submitted again, the job runs "
            "anew if one of them has changed or is gone."
        )
        errors: list[ItemError] = Field(description="Of the first items that failed.")
        plan: str | None = Field(description="In a dry run: what would be done.")

    def __init__(self, files: MakeFiles, check: Job) -> None:
        self._files, self.rechecked_by = files, check

    def recheck(self, answer: dict[str, Any]) -> dict[str, Any] | None:
        versions = answer.get("versions")
        return {"versions": versions} if versions else None

    def do(self, context: JobContext, run: BatchRun) -> BaseModel:
        """Does `run`, from fetching its input to storing its output."""
        files = self._files(context.sleep)
        check_name(run.source)
        check_name(run.target)
        if files.same(run.source, run.target):
            raise StorageError(
                f"{run.source!r} and {run.target!r} are one file, which would be replaced; name "
                "another output"
            )
        if not run.dry_run:
            files.check_writable(run.target)

        def pulse() -> None:
            context.sleep(0)

        with scratch_files(2) as (source, target):
            versions: dict[str, str | None] = {run.source: files.fetch(run.source, source)}
            total = count_items(source, run.source, pulse)
            items = read_items(source, run.source, pulse)
            counts = run.over(items, total, target, context)
            plan = None
            if run.dry_run:
                there = files.describe(run.target) is not None
                plan = (
                    f"would read {total} items from {run.source}, submit them to "
                    f"{run.types[0].name}, and {'replace' if there else 'write'} {run.target}"
                )
            else:
                files.store(target, run.target, spared=run.source)
            versions[run.target] = files.version(run.target)
        return self.Output(
            items=counts.items,
            succeeded=counts.items - counts.failed,
            failed=counts.failed,
            written=None if run.dry_run else run.target,
            versions=versions,
            errors=counts.errors,
            plan=plan,
        )


class BatchCheck(Job):
    """Tells whether files still are what they were at the end of a job."""

    name, endpoint = "batch-check", ""
    input_ttl_s, result_ttl_s, failure_ttl_s = 10.0, 10.0, 1.0
    max_attempts, max_load = 1, 1000

    class Input(BaseModel):
        versions: dict[str, str | None]
        asked: str

    class Output(BaseModel):
        holds: bool

    def __init__(self, files: MakeFiles) -> None:
        self._make_files = files

    @cached_property
    def _files(self) -> Files:
        """One for all, since connecting takes long."""
        return self._make_files(_give_up)

    def coordinate(self, item: Any, context: JobContext) -> BaseModel:
        """Looks at the files. What cannot be told for now is no reason to do a job again; what is
        refused is, since the job says why."""
        try:
            versions = item.versions.items()
            holds = all(self._files.version(location) == known for location, known in versions)
        except StoppedError:
            holds = True
        except StorageError:
            holds = False
        return self.Output(holds=holds)


def _give_up(_: float) -> None:
    raise StoppedError("a recheck is not retried: its client does not wait for that")


def _no_error(name: str) -> str:
    if name == ERROR:
        raise ValueError(f"{ERROR!r} in the output tells why an item failed; carry another field")
    return name


CarriedName = Annotated[str, AfterValidator(_no_error)]


class Batch(_FileToFile):
    """Asks every item of a file, and writes the answers to another, in the same order.

    Files whose names end in `.gz`, `.bz2` or `.xz` are read and written compressed.
    """

    name, endpoint = "batch", "/batch"
    example = {"task": "factorize", "input": "numbers.jsonl", "output": "factors.jsonl"}

    def __init__(self, places: Places, files: MakeFiles, check: Job) -> None:
        super().__init__(files, check)
        self._places = places
        place = _place_in(places)
        self.Input = create_model(  # type: ignore[misc]
            "Input",
            __base__=_BatchInput,
            __validators__={"two_files": _two_files(places, "input", "output")},
            input=(place, Field(description="A JSON array, or JSON lines.")),
            output=(place, Field(description="`.jsonl`, `.ndjson`: JSON lines; else an array.")),
        )

    def coordinate(self, item: Any, context: JobContext) -> BaseModel:
        """Does the job."""
        run = BatchRun(
            types=types_called(item.task, context.registry),
            source=self._places.resolve(item.input),
            target=self._places.resolve(item.output),
            carry=item.carry,
            dry_run=item.dry_run,
        )
        return self.do(context, run)


class _BatchInput(BaseModel):
    task: str = Field(
        min_length=1, description="The task of each item: an endpoint, or a task type's name."
    )
    input: str
    output: str
    carry: list[CarriedName] = Field(
        [], description="Fields of the items that are no inputs of the task; copied to the output."
    )
    dry_run: bool = Field(
        False, description="Only reads and checks, and says what the job would do."
    )


class SummarizeBatch(_FileToFile):
    """Summarizes every text of a file; their titles come along."""

    name, endpoint = "summarize-batch", "/summarize_batch"
    example = {"input_filename": "chapters.json", "output_filename": "summaries.json"}

    def __init__(self, places: Places, files: MakeFiles, check: Job) -> None:
        super().__init__(files, check)
        self._places = places
        place = _place_in(places)
        self.Input = create_model(  # type: ignore[misc]
            "Input",
            __base__=_SummarizeInput,
            __validators__={"two_files": _two_files(places, "input_filename", "output_filename")},
            input_filename=(place, Field(description="Texts, or objects with a `context`.")),
            output_filename=(place, Field(description="Gets their summaries.")),
        )

    def coordinate(self, item: Any, context: JobContext) -> BaseModel:
        """Does the job."""
        name = f"summarization/{item.model}" if item.model else SUMMARIZE
        run = BatchRun(
            types=types_called(name, context.registry),
            source=self._places.resolve(item.input_filename),
            target=self._places.resolve(item.output_filename),
            carry=["title"],
            dry_run=False,
        )
        return self.do(context, run)


class _SummarizeInput(BaseModel):
    input_filename: str
    output_filename: str
    model: str | None = Field(None, description="Which summarization model; default: the first.")


def types_called(name: str, registry: Registry) -> Sequence[TaskType]:
    """The task types at an endpoint, with or without its slash, or the one of that name.

    Raises:
        ValueError: there is none, or its tasks are jobs themselves.
    """
    if name in registry.types:
        types: Sequence[TaskType] = [registry.types[name]]
    else:
        types = registry.endpoints.get("/" + name.removeprefix("/"), [])
    items = [kind for kind in types if not isinstance(kind, Job)]
    if not items:
        there_are = (
            path for path, kinds in registry.endpoints.items() if not isinstance(kinds[0], Job)
        )
        raise ValueError(
            f"items cannot be submitted to {name!r}; there are: {', '.join(there_are)}"
        )
    return items


def _place_in(places: Places) -> Any:
    """A file name that is inside the allowed places."""

    def check(name: str) -> str:
        places.resolve(name)
        return name

    return Annotated[str, AfterValidator(check)]


def _two_files(places: Places, source: str, target: str) -> Any:
    """A validator that refuses inputs whose two names mean one file."""

    def check(item: Any) -> Any:
        if places.resolve(getattr(item, source)) == places.resolve(getattr(item, target)):
            raise ValueError(f"{source} and {target} must be two files")
        return item

    return model_validator(mode="after")(check)
