"""`python -m worker` as a program of its own, and asking it: for end-to-end tests."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from doneyet.settings import Settings
from doneyet.task_types import load_registry
from task_manager import open_task_manager
from task_manager.values import State, Status, Task
from tests.helpers import wait_until

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_TASKS = "tests.worker.sample_tasks"


class RunningWorker:
    """A worker with its own log; ended, with all its processes, at the end of the `with` block."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        module: str = "worker",
    ) -> None:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("DONEYET_")}
        self.log_path = folder / f"worker-{len(list(folder.glob('worker-*')))}.log"
        self._log = self.log_path.open("w")
        self.program = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={
                **kept,
                **settings.to_environment(),
                "SAMPLE_RUNS": str(folder / "runs"),
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def log(self) -> str:
        """What it has logged so far."""
        return self.log_path.read_text()

    def wait_until_serving(self) -> RunningWorker:
        """Returns itself when all its processes serve."""
        wait_until(
            lambda: (
                re.search(r"processe?s? serves? ", self.log()) or self.program.poll() is not None
            ),
            description="the worker serves",
            timeout_s=20,
        )
        assert self.program.poll() is None, self.log()
        return self

    def processes(self) -> list[int]:
        """The process ids of its worker processes."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.program.pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        return [int(line.split()[0]) for line in listed.splitlines() if "worker.process" in line]

    def signal(self, number: int) -> None:
        """Sends a signal to the supervisor."""
        self.program.send_signal(number)

    def signal_all(self, number: int) -> None:
        """Sends a signal to the supervisor and to its worker processes."""
        for pid in (self.program.pid, *self.processes()):
            os.kill(pid, number)

    def stop(self, timeout_s: float = 15.0) -> int:
        """SIGTERM; the exit code."""
        self.program.send_signal(signal.SIGTERM)
        return self.program.wait(timeout_s)

    def __enter__(self) -> RunningWorker:
        return self

    def __exit__(self, *_: object) -> None:
        children = self.processes() if self.program.poll() is None else []
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._log.close()


class Asker:
    """Asks as the HTTP server does, with a manager and a registry of its own."""

    def __init__(self, settings: Settings) -> None:
        self.registry = load_registry(settings)
        self.manager = open_task_manager(settings, self.registry.types)

    def task(self, type_name: str, key: str) -> Task:
        """The task of one sample input."""
        kind = self.registry.types[type_name]
        text = kind.canonical(kind.Input.model_validate({"key": key}))
        return Task(kind.task_id(text), type_name, text)

    def ask(self, type_name: str, *keys: str) -> list[Status]:
        """Submits one task per key."""
        statuses = self.manager.submit([self.task(type_name, key) for key in keys])
        assert all(isinstance(status, Status) for status in statuses), statuses
        return [status for status in statuses if isinstance(status, Status)]

    def answers(self, type_name: str, *keys: str, timeout_s: float = 20.0) -> list[dict[str, Any]]:
        """Asks again until all are terminal; their bodies."""
        found: list[Status] = []

        def all_terminal() -> bool:
            found[:] = self.ask(type_name, *keys)
            return all(status.state.terminal for status in found)

        wait_until(all_terminal, description=f"{keys} are answered", timeout_s=timeout_s)
        return [json.loads(status.body or b"{}") for status in found]

    def state(self, type_name: str, key: str) -> State | None:
        """Where the task is, without making it wanted."""
        status = self.manager.status(type_name, self.task(type_name, key).id)
        return status.state if status is not None else None

    def wait_for_state(self, type_name: str, key: str, state: State) -> None:
        """Returns once the task is in `state`."""
        wait_until(
            lambda: self.state(type_name, key) == state, description=f"{key} is {state.value}"
        )

    def close(self) -> None:
        self.manager.close()


def runs(folder: Path) -> list[list[str]]:
    """The keys of each batch that ran, in order."""
    path = folder / "runs"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split(",", 2)[2].split() for line in lines]


def runs_of(folder: Path, key: str) -> int:
    """How often `key` ran."""
    return sum(batch.count(key) for batch in runs(folder))
