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
from doneyet.task_types.base import type_tag


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
    name = write_module(folder, "shouting", GOOD)
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
        (GOOD.replace("max_load = 7", "max_batch_size = 0"), "max_batch_size must be at least 1"),
        (GOOD.replace('"shout", ', '"factorization", '), "two task types are called"),
        (GOOD.replace("name, endpoint", "title, endpoint"), "Shout must define name"),
    ],
)
def test_unusable_types_are_refused(folder: Path, text: str, message: str) -> None:
    """At start, with a sentence that says what to change."""
    name = write_module(folder, f"bad_{abs(hash((text, message)))}", text)
    with pytest.raises(TaskTypeError, match=message):
        load_registry(Settings(tasks=f"factorization,{name}"))


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
