"""The wheel holds what its metadata promises, and nothing that nobody imports."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("autoscaler", "doneyet", "http_server", "task_manager", "worker")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of a copy of the project, since building writes beside the sources."""
    project, built = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("built")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests", "benchmarks", "deploy"):  # not to be taken for packages
        (project / name).mkdir()
        (project / name / "__init__.py").touch()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    command = ["pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(built), "."]
    ran = subprocess.run(
        [sys.executable, "-m", *command], cwd=project, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


def names(wheel: zipfile.ZipFile) -> set[str]:
    """The files of the wheel but those about it."""
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_every_file_of_every_package_is_in_it(wheel: zipfile.ZipFile) -> None:
    """Lua scripts, pages and type markers too."""
    sources = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert names(wheel) == sources


def test_every_package_is_typed(wheel: zipfile.ZipFile) -> None:
    """As the classifier `Typing :: Typed` says."""
    assert {f"{package}/py.typed" for package in PACKAGES} <= names(wheel)
    (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    assert "Classifier: Typing :: Typed" in wheel.read(metadata).decode()


def test_every_pattern_of_package_data_names_something() -> None:
    """Nothing promises a folder that is not there."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package, patterns in data["package-data"].items():
        for place in PACKAGES if package == "*" else (package,):
            for pattern in patterns:
                assert list((ROOT / place).glob(pattern)), f"{place}/{pattern}"
