"""A newcomer's first ten minutes: the wheel, an empty environment, folder and HOME."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.helpers import need
from tests.local.test_own_folder import IRIS
from tests.local.test_serve import read_welcome
from tests.test_wheel import wheel
from tests.testing.test_own_tests import IRIS as FLOWER
from tests.testing.test_own_tests import TEST_IRIS

__all__ = ["wheel"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_first_ten_minutes(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Install, write a file, serve it, ask it by curl and by the command, stop; test it."""
    need("curl")
    home, folder, python = tmp_path / "home", tmp_path / "flowers", tmp_path / "venv"
    home.mkdir()
    folder.mkdir()
    venv.create(python, with_pip=True)
    kept = {name: text for name, text in os.environ.items() if name.startswith("PIP_")}
    environ = {**kept, "PIP_NO_CACHE_DIR": "1", "HOME": str(home)}
    environ["PATH"] = f"{python}/bin:/usr/bin:/bin"

    def run(*command: str) -> str:
        ran = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    run("pip", "install", "-q", f"doneyet[serve] @ file://{wheel.filename}")
    assert run("doneyet", "--version").startswith("doneyet 0.")
    public = "from doneyet import Client, ClientError, TaskFailedError, TaskType; print(TaskType)"
    assert "doneyet.task_types" in run("python", "-c", public)
    (folder / "iris.py").write_text(IRIS)
    (folder / "flowers.py").write_text("MEASUREMENTS = 4\n")
    (folder / "iris.json").write_text('{"setosa": [5, 3, 1, 0], "virginica": [7, 3, 6, 2]}')
    with subprocess.Popen(
        ["doneyet", "serve", "iris.py", "--port", "0", "--processes", "1"],
        executable=str(python / "bin" / "doneyet"),
        cwd=folder,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as served:
        told = read_welcome(served)
        url = re.search(r"doneyet is up at (\S+)", told)
        assert url is not None
        assert "  doneyet ask --url" in told
        (curl,) = [line for line in told.splitlines() if line.startswith("  curl")]
        assert json.loads(run("sh", "-c", curl))["species"] == "setosa"
        asked = run("doneyet", "ask", "--url", url[1], "iris", "features=[7, 3, 6, 2]")
        assert json.loads(asked)["species"] == "virginica"
        (folder / "rows.jsonl").write_text('{"features": [5, 3, 1, 0]}\n' * 3)
        mapped = run("doneyet", "map", "--url", url[1], "iris", "rows.jsonl", "-q")
        assert [json.loads(line)["species"] for line in mapped.splitlines()] == ["setosa"] * 3
        served.send_signal(signal.SIGINT)
        assert served.wait(30) == 0
    run("pip", "install", "-q", f"doneyet[test] @ file://{wheel.filename}")
    (folder / "iris.py").write_text(FLOWER)
    (folder / "test_iris.py").write_text(TEST_IRIS)
    assert "3 passed" in run("pytest", "-p", "no:cacheprovider")
    assert [*home.iterdir()] == []


def test_the_command_is_quick() -> None:
    """Neither it nor its help imports what programs or clients need."""
    code = (
        "import sys; sys.argv = ['doneyet', '--help']; from doneyet.command.main import main; "
        "code = main(); heavy = {'flask', 'pydantic', 'redis', 'requests', 'rich', 'granian'}; "
        "print('heavy:', sorted(heavy & {*sys.modules})); sys.exit(code)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith("heavy: []\n")
