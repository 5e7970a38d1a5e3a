"""Systems that run what the docs show, with the task types that the docs define."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doneyet.local.system import System
from tests.docs.markdown import Block, blocks

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial" / "your-first-model.md"
CLIENT = ROOT / "docs" / "reference" / "python-client.md"
ADDING = ROOT / "docs" / "how-to" / "task-type.md"
TESTING = ROOT / "docs/how-to/test-your-task-type.md"
REGRESSION = ROOT / "docs" / "reference" / "regression.md"


def example(path: Path) -> Block:
    """The block of a document that defines a task type."""
    (found,) = [block for block in blocks(path) if "(TaskType)" in block.text]
    return found


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the task types of the docs, as modules of the names that they have there."""
    directory = tmp_path_factory.mktemp("docs")
    (directory / "wordcount.py").write_text(example(README).text)
    (directory / "sentiment.py").write_text(example(ADDING).text)
    (directory / "iris.py").write_text(example(TUTORIAL).text)
    weights = next(block for block in blocks(TUTORIAL) if block.language == "json")
    (directory / "iris.json").write_text(weights.text)
    return directory


@pytest.fixture(scope="session")
def system(modules: Path) -> Iterator[System]:
    """A server and a worker that know them."""
    path = os.pathsep.join(filter(None, (str(modules), os.environ.get("PYTHONPATH"))))
    settings = {
        "PYTHONPATH": path,
        "DONEYET_TASKS": "factorization,regression,wordcount,sentiment,iris",
    }
    with System(processes=1, settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def tutorial_url(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the command of the tutorial serves, in a folder with its files alone."""
    folder = tmp_path_factory.mktemp("flowers")
    for name in ("iris.py", "iris.json"):
        (folder / name).write_text((modules / name).read_text())
    (line,) = [block.text for block in blocks(TUTORIAL) if block.text.startswith("doneyet serve")]
    with subprocess.Popen(
        [sys.executable, "-m", *line.split(), "--port", "0", "--processes", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stderr is not None
        told = ""
        while "Ctrl-C stops it" not in told:
            said = program.stderr.readline()
            assert said, told
            told += said
        found = re.search(r"is up at (http://\S+)", told)
        assert found, told
        yield found[1]
        program.send_signal(signal.SIGTERM)
        program.communicate(timeout=60)


@pytest.fixture(scope="session")
def synchronous_system() -> Iterator[System]:
    """A server that answers in the same request."""
    with System(queue_mode="synchronous") as running:
        yield running
