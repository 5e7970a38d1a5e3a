"""What `--tasks` may name, and what a user's own folder may hold."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doneyet.settings import Settings
from doneyet.task_types import TaskTypeError, load_registry
from tests.tasks.test_registry import GOOD, write_module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory; the path is afterwards what it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("shown", ["shouting.py", "./shouting.py", "{folder}/shouting.py"])
def test_a_file_is_served(folder: Path, shown: str) -> None:
    """By its path; it is imported under its stem, and finds what lies beside it."""
    write_module(folder, "loudness", "HOW = 'loud'")
    write_module(folder, "shouting", "from loudness import HOW\n" + GOOD.replace("\n    ", "\n"))
    registry = load_registry(Settings(tasks=shown.format(folder=folder)))
    assert list(registry.types) == ["shout"]
    assert type(registry.types["shout"]).__module__ == "shouting"


def test_a_module_of_the_current_directory_is_served(folder: Path) -> None:
    """Though the directory stands on nobody's path but last."""
    write_module(folder, "yelling", GOOD)
    assert list(load_registry(Settings(tasks="yelling,regression")).types) == [
        *("shout", "regression-fit", "regression-predict", "regression-score")
    ]
    assert sys.path[-1] == str(folder)


@pytest.mark.parametrize(
    "taken", ["redis", "tasks", "worker", "json", "test", "my.model", "my-one"]
)
def test_a_file_whose_name_is_taken_stands_in_nobodys_place(folder: Path, taken: str) -> None:
    """It is served, and `import redis` is still the library, before and after."""
    before = sys.modules.get(taken)
    write_module(folder, taken, GOOD)
    registry = load_registry(Settings(tasks=f"{taken}.py"))
    assert list(registry.types) == ["shout"]
    assert before is None or sys.modules[taken] is before
    kind = type(registry.types["shout"])
    assert getattr(sys.modules[kind.__module__], kind.__name__) is kind  # for pickle and pydantic
    assert load_registry(Settings(tasks=f"{taken}.py")).types["shout"].name == "shout"


def test_two_files_of_one_name(folder: Path) -> None:
    """Both are served."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        write_module(folder / name, "kind", GOOD.replace("shout", f"shout-{name}"))
    registry = load_registry(Settings(tasks="a/kind.py,b/kind.py"))
    assert list(registry.types) == ["shout-a", "shout-b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import json\nimport cv2.no", "own.py:2: .*; pip install opencv-python$"),
        ("\n\nimport no_such_one.deep", "own.py:3: .*; pip install no_such_one$"),
        ("import helping", "helping.py:2: NameError: name 'oops' is not defined$"),
        ("x = (", "own.py:1: SyntaxError: "),
        ("import sys\nsys.exit('stop')", "own.py:2: SystemExit: stop$"),
        ("from json import nothing", "own.py:1: cannot import name 'nothing'"),
        ("import json.nothing", "own.py:1: No module named 'json.nothing'$"),
        ("open('no.csv')", r"own.py:1: \[Errno 2\] No such file or directory: 'no.csv'$"),
        ("int('x')", r"own.py:1: ValueError: invalid literal"),
    ],
)
def test_a_file_that_cannot_be_imported(folder: Path, text: str, message: str) -> None:
    """One line: the file as the user named it, the line in it, why, and what to install."""
    write_module(folder, "helping", "\noops")
    write_module(folder, "own", text)
    with pytest.raises(TaskTypeError, match=r"^the task module 'own.py' cannot be imported: ") as e:
        load_registry(Settings(tasks="own.py"))
    assert e.match(message)
    assert "\n" not in str(e.value)
    assert str(folder) not in str(e.value)


def test_what_is_not_there(folder: Path) -> None:
    """Files and modules; nothing is to be installed for them."""
    with pytest.raises(TaskTypeError, match=f"'a/no.py' .*: there is no file {folder}/a/no.py$"):
        load_registry(Settings(tasks="a/no.py"))
    with pytest.raises(TaskTypeError, match="'nowhere' cannot be imported: No module named"):
        load_registry(Settings(tasks="nowhere"))


def test_models_alone_are_served_alone(folder: Path) -> None:
    """The built-in examples are for where nothing is named."""
    (folder / "models.toml").write_text('[embedding.mini]\nmodel = "some/model"\n')
    assert list(load_registry(Settings(models="models.toml")).types) == ["embedding/mini"]


def test_jobs_are_served_where_there_is_storage(folder: Path) -> None:
    """Whatever else is named; `batch` without storage says what is missing."""
    jobs = ["batch", "summarize-batch"]
    served = load_registry(Settings(tasks="factorization", storage=str(folder))).types
    assert list(served) == ["factorization", *jobs]
    assert list(load_registry(Settings(tasks="batch", storage=str(folder))).types) == jobs
    with pytest.raises(TaskTypeError, match="'batch' need DONEYET_STORAGE"):
        load_registry(Settings(tasks="batch"))
