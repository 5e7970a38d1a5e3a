"""Containers of Docker Compose: which there are, how more come, and how some go.

By the `docker` command, since it is there wherever Compose is, and needs no library of its own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any, NamedTuple

TIMEOUT_S = 120.0
"""How long one command may take; an image may have to be built or fetched before the first."""
_GOING = ("exited", "dead", "removing")


class ComposeError(Exception):
    """Raised when `docker` cannot be run, or says no; the message has its last words."""


class Container(NamedTuple):
    """One container of a service."""

    name: str
    host: str
    """What it calls itself: its short id, unless the Compose file says otherwise."""


class Compose:
    """One Compose project.

    Args:
        files: the Compose files that make it, as `docker compose -f` takes them.
        docker: the command.
    """

    def __init__(self, files: Sequence[str], docker: str = "docker") -> None:
        self._docker = docker
        self._compose = [docker, "compose", *(part for file in files for part in ("-f", file))]
        self._draining: dict[str, subprocess.Popen[bytes]] = {}

    def containers(self, service: str) -> list[Container]:
        """Those of a service that run and are not on their way out.

        Raises:
            ComposeError: as above.
        """
        self._reap()
        told = self._run([*self._compose, "ps", "--all", "--format", "json", service])
        return [
            Container(each["Name"], each["ID"][:12])
            for each in _objects(told)
            if each["State"] not in _GOING and each["Name"] not in self._draining
        ]

    def start(self, service: str, number: int) -> None:
        """Has the service have `number` containers besides those that drain.

        Raises:
            ComposeError: as above.
        """
        number += sum(process.poll() is None for process in self._draining.values())
        scale = ["--scale", f"{service}={number}", service]
        self._run([*self._compose, "up", "--detach", "--no-deps", "--no-recreate", *scale])

    def stop(self, names: Sequence[str]) -> None:
        """Has containers drain, for as long as their Compose file grants, and removes them."""
        for name in names:
            self._draining[name] = subprocess.Popen(
                [self._docker, "stop", name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C waits for it, and must not end it
            )

    def close(self) -> None:
        """Returns when what drains has gone.

        Raises:
            ComposeError: as above.
        """
        for process in self._draining.values():
            process.wait()
        self._reap()

    def _reap(self) -> None:
        """Removes what has drained; where `docker stop` failed, it may work and counts again."""
        for name, process in [*self._draining.items()]:
            if process.poll() is not None:
                if process.returncode == 0:
                    self._run([self._docker, "rm", "--force", name])
                del self._draining[name]

    def _run(self, command: Sequence[str]) -> str:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
                text=True,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ComposeError(f"{' '.join(command[:2])} cannot be run: {error}") from error
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
            raise ComposeError(f"{' '.join(command)} says: {said[0]}")
        return done.stdout


def _objects(text: str) -> list[Any]:
    """What `docker compose ps` prints: an object per line, or in older versions one array."""
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines() if line.strip()]
