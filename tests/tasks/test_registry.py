"""Task types: found where they should be, refused with a reason where they cannot be used."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from pydantic import BaseModel

from doneyet.settings import Settings
from doneyet.task_types import TaskType, TaskTypeError, load_registry
from doneyet.task_types.task_id import type_tag


def write_module(folder: Path, name: str, text: str) -> str:
    """A module `name` in `folder`, which is put on the import path by the caller."""
    (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return name


BUILT_IN_TYPES = ["factorization", "regression-fit", "regression-predict", "regression-score"]
"""What there is without a models table and without storage."""

GOOD = """
    from pydantic import BaseModel
    from doneyet import TaskType

    class Shout(TaskType):
        \"\"\"Says it louder.\"\"\"
        name, endpoint = "shout", "/shout"
        max_load = 7
        class Input(BaseModel):
            text: str
        class Output(BaseModel):
            loud: str
        def run(self, inputs):
            return [self.Output(loud=item.text.upper()) for item in inputs]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_built_in_types() -> None:
    """Without any setting there are factorization and regressions, with the settings' limits."""
    registry = load_registry(Settings(max_load=5, input_ttl_s=7))
    factorization = registry.types["factorization"]
    assert list(registry.types) == BUILT_IN_TYPES
    assert registry.endpoints["/factorize"] == [factorization]
    assert (factorization.max_load, factorization.input_ttl_s) == (5, 7)
    assert factorization.description == "Factors a whole number into primes."


def test_named_modules(folder: Path) -> None:
    """`--tasks` names all that is served; what a type declares wins over the settings."""
    name = write_module(folder, "shouting_types", GOOD)
    registry = load_registry(Settings(tasks=f" {name} ", max_load=5))
    assert list(registry.types) == ["shout"]
    assert registry.types["shout"].max_load == 7
    assert registry.of_task(type_tag("shout") + "0" * 32) is registry.types["shout"]
    assert registry.of_task("0" * 40) is None


def test_a_module_may_make_its_types(folder: Path) -> None:
    """`task_types(settings)` gives instances, several at one endpoint."""
    name = write_module(
        folder,
        "making",
        GOOD
        + """
    def task_types(settings):
        for size in ("small", "large"):
            kind = Shout()
            kind.name = f"shout/{size}"
            yield kind
    """,
    )
    registry = load_registry(Settings(tasks=name))
    assert [t.name for t in registry.endpoints["/shout"]] == ["shout/small", "shout/large"]
    assert list(registry.only(["shout/large"]).types) == ["shout/large"]
    with pytest.raises(TaskTypeError, match="no task type 'shout/huge'; there are: shout/small"):
        registry.only(["shout/huge"])


def test_a_private_class_is_a_base_of_others(folder: Path) -> None:
    """What types of a module share may stand in a class that is none itself."""
    text = GOOD.replace(
        "class Shout(TaskType):", "class _Base(TaskType): pass\n    class Shout(_Base):"
    )
    registry = load_registry(Settings(tasks=write_module(folder, "with_base", text)))
    assert list(registry.types) == ["shout"]


def test_installed_packages_add_types(folder: Path) -> None:
    """An entry point in the group doneyet.tasks is found without any setting."""
    write_module(folder, "installed_tasks", GOOD)
    info = folder / "installed_tasks-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: installed-tasks\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[doneyet.tasks]\nshouting = installed_tasks\n")
    assert "shout" in load_registry(Settings()).types
    assert list(load_registry(Settings(tasks="factorization")).types) == ["factorization"]
    assert list(load_registry(Settings(tasks="shouting")).types) == ["shout"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "import no_such_library",
            "No module named 'no_such_library'; pip install no_such_library$",
        ),
        ("x = 1", "defines no TaskType"),
        (GOOD.replace('"shout", ', '"Shout It", '), r"Shout\.name must look like"),
        (GOOD.replace('"/shout"', '"shout"'), r"Shout\.endpoint must look like"),
        (GOOD.replace('"/shout"', '"/tasks/x"'), "is doneyet's own"),
        (GOOD.replace("text: str", "done: str"), "the field name 'done' is doneyet's own"),
        (GOOD.replace("loud: str", "text: str"), "'text' is both an echoed input and an output"),
        (GOOD.replace("max_load = 7", "echo = frozenset({'no'})"), "echo names 'no'"),
        (
            GOOD.replace("max_load = 7", "text_field = 'no'"),
            "text_field 'no' is not an input field",
        ),
        (
            GOOD.replace("max_load = 7", "max_batch_size = 0"),
            "max_batch_size must be a whole number from 1",
        ),
        (GOOD.replace('"shout", ', '"factorization", '), "two task types are called"),
        (GOOD.replace("name, endpoint", "title, endpoint"), "Shout must define name"),
    ],
)
def test_unusable_types_are_refused(folder: Path, text: str, message: str) -> None:
    """At start, with a sentence that says what to change."""
    name = write_module(folder, f"bad_{abs(hash((text, message)))}", text)
    with pytest.raises(TaskTypeError, match=message):
        load_registry(Settings(tasks=f"factorization,{name}"))


NUMBERS = ("float('nan')", "-1", "'4'", "True", "[]", "10**400", "-(10**400)")
FINITE = "float('inf')"
TTLS = (*NUMBERS, FINITE, "0", "0.0001", "1e30")
COUNTS = (*NUMBERS, FINITE, "0", "1.5")
WRONG: dict[str, tuple[str, ...]] = {
    "name": ("5", "None", "''", "b'shout'"),
    "endpoint": ("5", "None", "['/shout']"),
    "version": ("2", "None", "b'1'", r"'\ud800'", "'1 in 3 queues'", "'1 in 1 queue'"),
    "description": ("5", "None"),
    "example": ("5", "'text'", "{'text': {1, 2}}", "{'text': float('nan')}"),
    "text_field": ("5", "['text']"),
    "echo": ("'text'", "5", "{'text': True}", "[5]"),
    "Input": ("None", "dict", "5", "__import__('pydantic').RootModel[int]"),
    "Output": ("None", "str"),
    "run": ("None", "5"),
    "cost": ("5",),
    "max_batch_size": (*COUNTS, "None", "10**9"),
    "batch_wait_ms": (*NUMBERS, FINITE, "None", "10**9"),
    "max_batch_cost": (*NUMBERS, FINITE, "0"),
    "batch_overhead": (*(each for each in NUMBERS if each != "10**400"), "None"),
    "timeout_s": (*NUMBERS, FINITE, "0", "1e30"),
    "input_ttl_s": TTLS,
    "result_ttl_s": TTLS,
    "failure_ttl_s": TTLS,
    "max_attempts": COUNTS,
    "max_load": COUNTS,
}
"""Values that attributes may not have, as they stand in a module."""


@pytest.mark.parametrize("attribute", WRONG)
def test_attributes_of_the_wrong_kind_are_refused(folder: Path, attribute: str) -> None:
    """Each in one line that names the class and the attribute, before anything is served."""
    for number, value in enumerate(WRONG[attribute]):
        text = f"{textwrap.dedent(GOOD)}\nShout.{attribute} = {value}\n"
        name = write_module(folder, f"wrong_{attribute.lower()}_{number}", text)
        with pytest.raises(TaskTypeError, match=rf"^Shout\.{attribute} ") as refused:
            load_registry(Settings(tasks=name))
        said = str(refused.value)
        assert "\n" not in said
        assert len(said) < 250
        assert " must " in said or " is not an input field" in said


SIGNATURES = {
    "self": False,
    "self, inputs, batch": False,
    "self, inputs, *, context": False,
    "self, *args": False,
    "self, inputs, context, more=1": False,
    "self, inputs": True,
    "self, texts": True,
    "self, inputs, context": True,
    "self, inputs, _context=None": True,
}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_run_has_one_of_two_signatures(folder: Path, signature: str) -> None:
    """Told when the type is registered, and not by its first task."""
    text = GOOD.replace("def run(self, inputs)", f"def run({signature})")
    assert signature == "self, inputs" or text != GOOD
    name = write_module(folder, f"signed_{abs(hash(signature))}", text)
    if SIGNATURES[signature]:
        load_registry(Settings(tasks=name))
        return
    with pytest.raises(
        TaskTypeError, match=r"^Shout\.run must be run\(self, inputs\) or "
    ) as refused:
        load_registry(Settings(tasks=name))
    assert str(refused.value).endswith(f"not run({signature})")


JOBS = {
    "coordinates": ("", None),
    "runs": ("del Shout.coordinate", "Shout must define coordinate$"),
    "check": ("Shout.rechecked_by = 5", r"Shout\.rechecked_by must be a Job, or None, not 5$"),
    "plain": ("Shout.coordinated = True", r"Shout\.coordinated is for Job to say: subclass"),
    "async": (
        "async def wait(self, item, context): pass\nShout.coordinate = wait",
        r"Shout\.coordinate must be a method without async",
    ),
}


@pytest.mark.parametrize("how", JOBS)
def test_jobs_are_checked(folder: Path, how: str) -> None:
    """They coordinate, and run nothing."""
    change, message = JOBS[how]
    job = GOOD.replace("import TaskType", "import Job, TaskType").replace("(TaskType)", "(Job)")
    job = job.replace("def run(self, inputs)", "def coordinate(self, item, context)")
    job = GOOD if how == "plain" else job
    name = write_module(folder, f"job_{how}", f"{textwrap.dedent(job)}\n{change}\n")
    if message is None:
        registry = load_registry(Settings(tasks=name))
        assert [*registry.jobs] == ["shout"]
        assert not registry.run_by_processes.types
        return
    with pytest.raises(TaskTypeError, match=message):
        load_registry(Settings(tasks=name))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("result_ttl_s = float('inf')", "a number of seconds from 1 to 1000000000, or None"),
        ("timeout_s = float('inf')", "or None: no time limit"),
        ("max_attempts = 0", "a whole number from 1 to"),
        ("batch_wait_ms = 1e9", "a number of milliseconds from 0 to 60000"),
    ],
)
def test_the_refusal_says_what_is_allowed(folder: Path, line: str, said: str) -> None:
    """The limits, and what None means."""
    name = write_module(
        folder, f"limits_{line.split(maxsplit=1)[0]}", GOOD.replace("max_load = 7", line)
    )
    with pytest.raises(TaskTypeError, match=said):
        load_registry(Settings(tasks=name))


UNMADE = {
    "argument": ("max_load = 7", "def __init__(self, path): pass", r"Shout\(\) cannot .*TypeError"),
    "raises": (
        "max_load = 7",
        "def __init__(self): raise OSError('no disk')",
        r"Shout\(\) cannot be made: .*\.py:8: OSError: no disk$",
    ),
    "exits": ("max_load = 7", "def __init__(self): exit(3)", r"Shout\(\) cannot .*SystemExit"),
    "async": ("def run", "async def run", r"Shout\.run must be a method without async"),
    "no_run": ("def run", "def ran", r"Shout must define run$"),
    "number": (
        "class Shout",
        "def task_types(settings): return 5\n\n    class Shout",
        r"task_types\(settings\) cannot be made: .*TypeError",
    ),
    "class": (
        "class Shout",
        "def task_types(settings): return [Shout]\n\n    class Shout",
        r"task_types\(settings\) must give TaskType objects, not <class",
    ),
}
"""What to put in the place of what, and what is said then."""


@pytest.mark.parametrize("how", UNMADE)
def test_types_that_cannot_be_made(folder: Path, how: str) -> None:
    """One line, with the place of what was raised."""
    old, new, message = UNMADE[how]
    name = write_module(folder, f"unmade_{how}", GOOD.replace(old, new))
    with pytest.raises(TaskTypeError, match=message) as refused:
        load_registry(Settings(tasks=name))
    assert "\n" not in str(refused.value)


def test_nested_inputs_are_hashed_in_sorted_order() -> None:
    """The order of keys in a request does not matter."""

    class Free(TaskType):
        name = "free"

        class Input(BaseModel):
            options: dict[str, int]

    first = Free.Input(options={"a": 1, "b": 2})
    second = Free.Input(options={"b": 2, "a": 1})
    assert Free().canonical(first) == Free().canonical(second) == b'{"options":{"a":1,"b":2}}'


def test_importing_tasks_is_light() -> None:
    """The HTTP container holds no model library, and not even a number library."""
    code = """
import sys
from doneyet.settings import Settings
from doneyet.task_types import load_registry
load_registry(Settings())
heavy = {"torch", "transformers", "flint", "numpy", "sklearn", "redis", "flask"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
