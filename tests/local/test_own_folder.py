"""`doneyet serve iris.py` in a user's own folder, whatever else lies there."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from doneyet.client import Client
from doneyet.local.serve import welcome
from doneyet.settings import Settings
from doneyet.task_types import load_registry
from tests.helpers import ended_at_last, need
from tests.local.processes import marked, new_mark
from tests.local.test_serve import read_welcome

ROOT = Path(__file__).parents[2]

IRIS = """\
import json
from pathlib import Path

from pydantic import BaseModel

from doneyet import TaskType
from flowers import MEASUREMENTS


class Iris(TaskType):
    name, endpoint = "iris", "/iris"
    example = {"features": [5.1, 3.5, 1.4, 0.2]}

    class Input(BaseModel):
        features: list[float]
        note: str = ""

    class Output(BaseModel):
        species: str

    def load(self):
        self.means = json.loads(Path("iris.json").read_text())

    def run(self, inputs):
        def distance(name, features):
            return sum((a - b) ** 2 for a, b in zip(self.means[name], features))

        return [
            self.Output(species=min(self.means, key=lambda name: distance(name, item.features)))
            for item in inputs
        ]
"""

OURS_AND_OTHERS = (
    *(
        "tasks",
        "settings",
        "client",
        "worker",
        "http_server",
        "task_manager",
        "autoscaler",
        "doneyet",
    ),
    *("redis", "flask", "pydantic", "granian", "json", "logging", "queue", "signal", "click"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a type, what it reads, and files that are called like everything else."""
    (tmp_path / "iris.py").write_text(IRIS)
    (tmp_path / "flowers.py").write_text("MEASUREMENTS = 4\n")
    (tmp_path / "iris.json").write_text('{"setosa": [5, 3, 1, 0], "virginica": [7, 3, 6, 2]}')
    for name in OURS_AND_OTHERS:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user\\'s own was imported')\n")
    return tmp_path


def serve_command(*arguments: str) -> list[str]:
    """As the installed command starts it: the current directory is not on the path."""
    return [sys.executable, "-P", "-m", "doneyet", "serve", "--port", "0", *arguments]


@pytest.mark.parametrize("mode", ["--distributed", "--synchronous"])
def test_it_serves_that_type_and_no_other(folder: Path, mode: str) -> None:
    """In that folder, with relative names; the line that it prints works as it is."""
    need("curl")
    mark = new_mark()
    environ = {**os.environ, **mark, "PYTHONPATH": str(ROOT)}
    started = subprocess.Popen(
        serve_command("iris.py", "--processes", "1", mode),
        cwd=folder,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    with ended_at_last(started) as served:
        told = read_welcome(served)
        url = next(line for line in told.splitlines() if "is up at" in line).split()[4]
        assert "factorize" not in told
        assert ".venv" not in told.replace(sys.prefix, "")
        line = next(line for line in told.splitlines() if line.startswith("  curl"))
        asked = subprocess.run(shlex.split(line), check=True, capture_output=True)
        assert json.loads(asked.stdout)["species"] == "setosa"
        with Client(url) as client:
            if mode == "--distributed":
                assert client.run("iris", features=[5, 3, 1, 0])["species"] == "setosa"
                assert list(client.load()["types"]) == ["iris"]
        served.send_signal(signal.SIGINT)
        assert served.wait(30) == 0
    assert marked(mark) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import cv2", "iris.py:1: No module named 'cv2'; pip install opencv-python"),
        ("\nx = oops", "iris.py:2: NameError: name 'oops' is not defined"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told_in_one_line(
    tmp_path: Path, text: str, told: str
) -> None:
    """Before anything is started; exit code 2."""
    (tmp_path / "iris.py").write_text(text)
    ran = subprocess.run(
        serve_command("iris.py"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr == f"the task module 'iris.py' cannot be imported: {told}\n"


def test_the_line_to_ask_with(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The type's example, else what it requires, as JSON in a shell."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (kind,) = load_registry(Settings(tasks="iris.py")).types.values()
    kind.example = {}
    assert "/iris -H 'Content-Type: application/json'" in welcome("http://x", kind, "doneyet ask")
    assert """-d '{"features": []}'""" in welcome("http://x", kind, "doneyet ask")
    kind.example = {"features": [1], "note": "it's"}
    assert shlex.quote(json.dumps(kind.example)) in welcome("http://x", kind, "doneyet ask")
    del sys.modules["iris"], sys.modules["flowers"]
