"""One Compose project of a test: up, looked at, and gone with its volumes."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from doneyet.local.managed_process import free_port

ROOT = Path(__file__).parents[2]


class Compose:
    """The containers that one Compose file describes, under a name and a port of their own."""

    def __init__(self, file: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.project = f"doneyet-test-{secrets.token_hex(4)}"
        self._command = ["docker", "compose", "-p", self.project]
        self._command += ["--project-directory", str(ROOT), "-f", str(file)]

    def run(self, *arguments: str) -> str:
        """What `docker compose ...` says on standard output; raises where it fails."""
        environ = {**os.environ, "HTTP_PORT": str(self.port)}
        done = subprocess.run(
            [*self._command, *arguments], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}\n{done.stdout}"
        return done.stdout

    def ids(self, service: str) -> list[str]:
        """The ids of a service's containers, stopped ones included."""
        return self.run("ps", "-a", "-q", service).split()

    def health(self) -> set[str]:
        """What Docker thinks of the containers' health."""
        ids = self.run("ps", "-q").split()
        return set(docker("inspect", "-f", "{{.State.Health.Status}}", *ids).split())

    def get(self, path: str) -> Any:
        """The JSON at `path`, or None while there is no server."""
        with contextlib.suppress(requests.ConnectionError):
            reply = requests.get(self.url + path, timeout=5)
            return reply.json() if reply.ok else None
        return None

    def post(self, body: Any) -> Any:
        """What /factorize answers."""
        return requests.post(f"{self.url}/factorize", json=body, timeout=30).json()


def docker(*arguments: str) -> str:
    """What `docker ...` says on standard output."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


@contextmanager
def composed(file: Path = ROOT / "docker-compose.yml") -> Iterator[Compose]:
    """A project that ends with the test, its volumes too; its logs show where the test fails."""
    compose = Compose(file)
    try:
        yield compose
    except BaseException:
        print(compose.run("logs", "--tail", "50"))
        raise
    finally:
        compose.run("down", "--volumes", "--remove-orphans", "--timeout", "5")
