"""A user's own tests, in a folder of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

IRIS = """
from pydantic import BaseModel, Field

from doneyet import TaskType


class Iris(TaskType):
    name, endpoint = "iris", "/iris"

    class Input(BaseModel):
        features: list[float] = Field(min_length=4, max_length=4)

    class Output(BaseModel):
        species: str

    def run(self, inputs):
        return [self.Output(species="setosa" if i.features[2] < 2 else "virginica") for i in inputs]
"""

TEST_IRIS = """
import pytest

from doneyet import InvalidInputError
from doneyet.testing import ask
from iris import Iris


def test_species():
    assert ask(Iris, features=[5, 3, 1, 0.2])["species"] == "setosa"


def test_too_few():
    with pytest.raises(InvalidInputError, match="features"):
        ask(Iris, features=[5])


def test_served(doneyet_system):
    client = doneyet_system(Iris).client
    assert client.run("iris", features=[7, 3, 6, 2])["species"] == "virginica"
"""

WRONG = """

def test_wrong():
    assert ask(Iris, features=[5, 3, 1, 0.2])["species"] == "virginica"
"""


def test_a_folder_of_their_own(tmp_path: Path) -> None:
    """The fixture is there, no Redis is, and what fails is told."""
    (tmp_path / "iris.py").write_text(IRIS)
    (tmp_path / "test_iris.py").write_text(TEST_IRIS + WRONG)
    ran = subprocess.run(
        # A wheel's entry point names the plugin; a clone is not installed.
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "doneyet.testing.plugin"],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 3 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "assert 'setosa' == 'virginica'" in ran.stdout
