"""What is in the images, and what is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.containers.compose import ROOT, docker
from tests.helpers import wait_until

pytestmark = [
    pytest.mark.containers,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("engine"),
    pytest.mark.xdist_group("containers"),
]


def image(target: str) -> str:
    """The id of a freshly built image."""
    return docker("build", "--quiet", "--target", target, str(ROOT)).strip()


def fails(image_id: str, *command: str) -> bool:
    """Whether `command` fails in a container of the image."""
    ran = subprocess.run(
        ["docker", "run", "--rm", image_id, *command], capture_output=True, check=False
    )
    return ran.returncode != 0


@pytest.mark.parametrize("target", ["http-server", "worker", "synchronous"])
def test_nobody_is_root(target: str) -> None:
    """Programs run as a user who owns none of the code."""
    built = image(target)
    assert docker("run", "--rm", built, "id", "-u").strip() == "10001"
    assert fails(built, "touch", "/app/doneyet/settings.py")


@pytest.mark.parametrize("target", ["http-server", "worker", "synchronous"])
def test_the_command_works_in_every_image(target: str) -> None:
    """Whoever looks into a container has `ask`, `check` and the others there."""
    built = image(target)
    assert "check" in docker("run", "--rm", built, "python", "-m", "doneyet", "--help")


def test_http_image_is_light() -> None:
    """No model's packages, no worker, no pip of its own."""
    built = image("http-server")
    for command in ("import flint", "import worker", "import torch"):
        assert fails(built, "python", "-c", command), command
    assert fails(built, "/venv/bin/pip", "--version")


def test_worker_image_takes_any_extras() -> None:
    """EXTRAS chooses the packages of pyproject.toml; a name that is none is refused."""
    built = docker(
        *("build", "--quiet", "--target", "worker", "--build-arg", "EXTRAS=core", str(ROOT))
    ).strip()
    assert fails(built, "python", "-c", "import flint")
    assert not fails(built, "python", "-c", "import redis, rq, pydantic")
    with pytest.raises(subprocess.CalledProcessError):
        docker("build", "-q", "--target", "worker", "--build-arg", "EXTRAS=no-such", str(ROOT))


def test_process_one_reaps_and_forwards() -> None:
    """Orphans of killed processes leave no zombies behind; SIGTERM ends the program at once."""
    built = image("synchronous")
    container = docker("run", "--detach", "--rm", built).strip()
    try:
        wait_until(
            lambda: not _exec_fails(container, "python", "-m", "deploy.health"),
            description="the server is healthy",
            timeout_s=60,
        )
        docker("exec", container, "python", "-c", _ORPHAN)
        wait_until(
            lambda: " Z " not in docker("exec", container, "sh", "-c", "cat /proc/[0-9]*/stat"),
            description="no zombie is left",
        )
    finally:
        docker("stop", "--time", "30", container)


_ORPHAN = "import os; os.fork() or (os.fork() or os._exit(0), os._exit(0))"
"""A grandchild whose parent ends first: it becomes a child of process 1."""


def _exec_fails(container: str, *command: str) -> bool:
    ran = subprocess.run(["docker", "exec", container, *command], capture_output=True, check=False)
    return ran.returncode != 0


def test_an_image_of_ones_own(tmp_path: Path) -> None:
    """FROM the worker's: pip installs for the programs, and a file with a task type is served."""
    docker("build", "--quiet", "--tag", "doneyet-worker", "--target", "worker", str(ROOT))
    (tmp_path / "shout.py").write_text(_SHOUT)
    (tmp_path / "Dockerfile").write_text(
        "FROM doneyet-worker\n"
        "RUN pip install -q inflection==0.5.1\n"
        "COPY shout.py ./\n"
        "ENV DONEYET_TASKS=shout.py\n"
    )
    built = docker("build", "--quiet", str(tmp_path)).strip()
    ask = "import shout; print(shout.Shout().run([shout.Shout.Input(text='two_words')])[0].shouted)"
    confined = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    said = docker("run", "--rm", "--network", "none", *confined, built, "python", "-c", ask)
    assert said.strip() == "TwoWords!"
    assert docker("run", "--rm", built, "id", "-u").strip() == "10001"
    assert fails(built, "touch", "/app/doneyet/settings.py")
    shown = docker("run", "--rm", built, "python", "-c", _SERVED)
    assert shown.strip() == "['shout']"


_SHOUT = '''
from inflection import camelize
from pydantic import BaseModel

from doneyet import TaskType


class Shout(TaskType):
    """Joins the words, loudly."""

    name, endpoint, version = "shout", "/shout", "1"

    class Input(BaseModel):
        text: str

    class Output(BaseModel):
        shouted: str

    def run(self, inputs):
        return [self.Output(shouted=camelize(item.text) + "!") for item in inputs]
'''

_SERVED = """
from doneyet.settings import Settings
from worker.type_selection import served_registry
print(list(served_registry(Settings.from_environment()).types))
"""
