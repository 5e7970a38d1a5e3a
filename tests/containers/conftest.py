"""Where these tests run: where somebody asked for them, and a container engine answers."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Building images takes minutes, so it is left to `make containers`, engine or not."""
    if "containers" in config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("containers")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def engine() -> None:
    """Ends the run where no container engine answers: somebody asked for these tests."""
    if shutil.which("docker") is None:
        pytest.exit("there is no docker on PATH; install Docker Engine and its Compose plugin", 1)
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode:
            pytest.exit(f"{' '.join(command)}: {asked.stderr.strip().splitlines()[-1]}", 1)
