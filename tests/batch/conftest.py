"""A system with a folder for jobs, and items that are slow and counted."""

from __future__ import annotations

import itertools
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from doneyet.local.system import System
from tests.faults.fault_tasks import RUNS
from tests.helpers import wait_until

OWN = 1000
"""Numbers that a test has for itself, where it shares a system."""
FIRSTS = itertools.count(OWN, OWN)


class Jobs:
    """A system that does jobs in `folder`; items are asked of `slow`: 0.2 s for four of them."""

    def __init__(self, folder: Path, system: System, first: int = 0) -> None:
        self.folder, self.system, self.first = folder, system, first

    def numbers(self, count: int) -> range:
        """What so many items ask for."""
        return range(self.first, self.first + count)

    def write(self, count: int, name: str = "items.jsonl") -> None:
        """An input of so many items."""
        text = "".join(json.dumps({"n": n, "key": f"k{n}"}) + "\n" for n in self.numbers(count))
        (self.folder / name).write_text(text)

    def ask(self, wait_s: float = 0.0, **job: Any) -> dict[str, Any]:
        """How the job is now, or up to `wait_s` later."""
        question = {"task": "slow", "input": "items.jsonl", "output": "answers.jsonl", **job}
        reply = requests.post(
            f"{self.system.url}/batch",
            json={"carry": ["key"], **question},
            headers={"Prefer": f"wait={wait_s:g}"} if wait_s else {},
            timeout=wait_s + 10,
        )
        answer: dict[str, Any] = reply.json()
        return answer

    def run(self, timeout_s: float = 40.0, **job: Any) -> dict[str, Any]:
        """The finished answer; whoever asks is patient while servers and Redis come and go."""

        def done() -> dict[str, Any] | None:
            try:
                answer = self.ask(wait_s=1, **job)
            except requests.ConnectionError:
                return None
            return answer if answer.get("done") else None

        answer = wait_until(done, description="the job is done", timeout_s=timeout_s)
        assert answer is not None
        return answer

    def wait_for_progress(self, least: int) -> None:
        """Returns once so many items ran, with some left."""
        wait_until(lambda: sum(self.runs().values()) >= least, description=f"{least} items ran")

    def output(self, name: str = "answers.jsonl") -> list[dict[str, Any]]:
        """What the job wrote."""
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def assert_whole(self, count: int) -> None:
        """Every item is there once, in order, with its right answer."""
        assert self.output() == [
            {"key": f"k{n}", "n": n, "square": n * n} for n in self.numbers(count)
        ]

    def runs(self) -> Counter[int]:
        """How often each item ran."""
        path = self.folder.parent / "runs"
        text = path.read_text() if path.exists() else ""
        return Counter(int(line.split()[0]) for line in text.splitlines())


class InAFolder(Jobs):
    """Jobs of one test, in a folder of their own, whose items no other test has asked for."""

    def ask(self, wait_s: float = 0.0, **job: Any) -> dict[str, Any]:
        named = {"input": "items.jsonl", "output": "answers.jsonl", **job}
        for name in ("input", "output"):
            if not named[name].startswith(("/", "s3:")):
                named[name] = f"{self.folder.name}/{named[name]}"
        return super().ask(wait_s, **named)

    def runs(self) -> Counter[int]:
        everybodys = Jobs(self.folder.parent, self.system).runs()
        own = range(self.first, self.first + OWN)
        return Counter({n: times for n, times in everybodys.items() if n in own})


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """A system for all tests of a module that harm nothing."""
    folder = tmp_path_factory.mktemp("together")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUNS, str(folder / "runs"))
        (folder / "jobs").mkdir()
        settings = {
            "DONEYET_TASKS": "tests.faults.fault_tasks",
            "DONEYET_STORAGE": str(folder / "jobs"),
        }
        with System(processes=1, settings=settings) as system:
            yield Jobs(folder / "jobs", system)


@pytest.fixture
def in_a_folder(together: Jobs) -> Jobs:
    """Where one test has its jobs in it."""
    folder = together.folder / secrets.token_hex(4)
    folder.mkdir()
    return InAFolder(folder, together.system, next(FIRSTS))


@pytest.fixture
def start_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Jobs]]:
    """Starts a system, of one worker process unless said otherwise."""
    monkeypatch.setenv(RUNS, str(tmp_path / "runs"))
    folder = tmp_path / "jobs"
    folder.mkdir()
    with ExitStack() as stack:

        def start(settings: dict[str, str] | None = None, **options: Any) -> Jobs:
            chosen = {
                "DONEYET_TASKS": "tests.faults.fault_tasks",
                "DONEYET_STORAGE": str(folder),
                "DONEYET_LEASE_S": "1",
                **(settings or {}),
            }
            system = System(**{"processes": 1, "grace_s": 5.0, **options}, settings=chosen)
            return Jobs(folder, stack.enter_context(system))

        yield start
