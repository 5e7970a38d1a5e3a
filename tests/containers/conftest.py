"""Where these tests run: a container engine, and somebody who asked for them."""

from __future__ import annotations

import shutil
import subprocess

import pytest


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> None:
    """Skips where no engine answers; and in a plain run of the suite, which takes minutes less."""
    if "containers" not in request.config.option.markexpr:
        pytest.skip("`make containers` runs it: it builds images")
    if shutil.which("docker") is None:
        pytest.skip("there is no docker on PATH")
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode:
            pytest.skip(f"{' '.join(command)}: {asked.stderr.strip().splitlines()[-1]}")
