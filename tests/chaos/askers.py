"""Clients of every kind. Each asks for what nobody else does until it is told; then for more."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from doneyet.client import Client
from doneyet.client.errors import ClientError, NotFoundError, UnavailableError
from tests.chaos.installation import SECRET
from tests.http.webhooks.receiver import Received, Receiver

PATIENCE_S = 120.0
"""How long whoever asks goes on; no breakage lasts for a tenth of that."""

MAY_BE = {429, 502, 503, 504}
"""Statuses that say nothing of the task: whoever gets one asks again."""


class WrongAnswerError(Exception):
    """Raised where an asker was told what cannot be true, or nothing at all."""


class Askers:
    """Threads that ask at `urls`, some of each kind; they begin at once.

    Attributes:
        answered: how often each kind got its answers.
        wrong: what each kind was told that cannot be true.
    """

    def __init__(self, urls: list[str], storage: Path, receiver: Receiver, seed: int) -> None:
        self._urls, self._storage, self._seed = urls, storage, seed
        self._receiver = receiver
        self._numbers = itertools.count(1)
        self._over = threading.Event()
        self.answered: Counter[str] = Counter()
        self.wrong: list[str] = []
        kinds = [
            *(self.poll, self.poll, self.wait, self.array, self.watch, self.map, self.job),
            *(self.hook, self.hook, self.hook),
        ]
        self._threads = [
            threading.Thread(target=self._go_on, args=(kind, at), name=kind.__name__, daemon=True)
            for at, kind in enumerate(kinds)
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Each gets what it has asked for, and asks for nothing more."""
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            if thread.is_alive():
                self.wrong.append(f"{thread.name}: it still waits for its answer")

    def poll(self, chance: random.Random) -> None:
        """The protocol in its plainest form, at whatever server."""
        number = next(self._numbers)
        with requests.Session() as session:
            for _ in self._tries():
                told = self._post(session, chance, "squares", {"n": number})
                if told and told["done"]:
                    return self._check(told, number)
                self._over.wait(0.05)
        raise WrongAnswerError(f"no answer to {number}")

    def wait(self, chance: random.Random) -> None:
        """The client library's `run`, whose requests are held."""
        number = next(self._numbers)
        with self._client(chance) as client:
            self._check(client.run("squares", n=number, timeout_s=PATIENCE_S), number)

    def array(self, chance: random.Random) -> None:
        """Fifty at once, until all are done."""
        numbers = [next(self._numbers) for _ in range(50)]
        with requests.Session() as session:
            for _ in self._tries():
                asked = [{"n": number} for number in numbers]
                told = self._post(session, chance, "squares", asked, Prefer="wait=1")
                if told and all(each.get("done") for each in told):
                    for each, number in zip(told, numbers, strict=True):
                        self._check(each, number)
                    return
        raise WrongAnswerError(f"no answers to {numbers[0]} up to {numbers[-1]}")

    def watch(self, chance: random.Random) -> None:
        """The stream of a task's events: exactly one answer, the last that it tells."""
        number = next(self._numbers)
        for _ in self._tries():
            with self._client(chance) as client:
                try:
                    task = client.ask("squares", n=number)
                    if task["done"]:
                        return self._check(task, number)
                    told = [*client.events(task["id"], timeout_s=PATIENCE_S)]
                except (NotFoundError, UnavailableError):
                    continue  # it expired while nobody could ask, or this server is away
                answers = [event.data for event in told if event.name == "answer"]
                if len(answers) != 1 or told[-1].name != "answer":
                    raise WrongAnswerError(f"a stream ended with {[event.name for event in told]}")
                return self._check(answers[0], number)
        raise WrongAnswerError(f"no answer to {number}")

    def map(self, chance: random.Random) -> None:
        """The client library's `map`, which puts arrays together."""
        numbers = [next(self._numbers) for _ in range(30)]
        with self._client(chance) as client:
            answers = client.map("squares", [{"n": number} for number in numbers])
        for answer, number in zip(answers, numbers, strict=True):
            self._check(answer, number)

    def job(self, chance: random.Random) -> None:
        """A job from file to file: every line of its output, once and in order."""
        numbers = [next(self._numbers) for _ in range(100)]
        name = f"{numbers[0]}.jsonl"
        lines = "".join(json.dumps({"n": number}) + "\n" for number in numbers)
        (self._storage / name).write_text(lines)
        job = {"task": "squares", "input": name, "output": f"done-{name}"}
        with self._client(chance) as client:
            client.run("batch", job, timeout_s=PATIENCE_S)
        written = (self._storage / f"done-{name}").read_text().splitlines()
        told = [json.loads(line) for line in written]
        if told != [{"n": number, "square": number**2} for number in numbers]:
            raise WrongAnswerError(f"a job wrote {told}")

    def hook(self, chance: random.Random) -> None:
        """Submits once, goes away, and is told by a webhook: under one id, however often."""
        number = next(self._numbers)
        hook = {"Webhook-URL": f"{self._receiver.url}/{number}"}
        with requests.Session() as session:
            for _ in self._tries():
                if self._post(session, chance, "squares", {"n": number}, **hook) is not None:
                    break
        told: list[Received] = []
        for _ in self._tries():
            told = [
                each
                for each in list(self._receiver.received)
                # One that broke off, since its server was killed, comes again.
                if each.path == f"/{number}"
                and len(each.raw) == int(each.headers["content-length"])
            ]
            if told:
                break
        if not told or not all(each.is_signed() for each in told) or len({t.id for t in told}) > 1:
            raise WrongAnswerError(f"of {number} a webhook told {told}")
        self._check(told[0].body["data"], number)

    def _go_on(self, kind: Callable[[random.Random], None], at: int) -> None:
        chance = random.Random(self._seed * 1000 + at)
        while not self._over.is_set():
            try:
                kind(chance)
            except (WrongAnswerError, ClientError) as error:
                self.wrong.append(f"{kind.__name__}: {type(error).__name__}: {error}")
            except Exception as error:  # an asker that is gone would find nothing any more
                self.wrong.append(f"{kind.__name__}: {error!r}")
            else:
                self.answered[kind.__name__] += 1
            self._over.wait(0.05)

    def _tries(self) -> Iterator[int]:
        """As often as anybody tries, with a little time between."""
        for attempt in range(int(PATIENCE_S / 0.2)):
            yield attempt
            threading.Event().wait(0.15)

    def _client(self, chance: random.Random) -> Client:
        return Client(chance.choice(self._urls), key=SECRET, patience_s=PATIENCE_S / 2, wait_s=5)

    def _post(
        self,
        session: requests.Session,
        chance: random.Random,
        endpoint: str,
        body: object,
        **headers: str,
    ) -> Any:
        """What is told; None where there is nobody to tell it."""
        try:
            reply = session.post(
                f"{chance.choice(self._urls)}/{endpoint}",
                json=body,
                headers={"X-API-Key": SECRET, **headers},
                timeout=5,
            )
        except requests.RequestException:
            return None
        if reply.status_code in (200, 202):
            return reply.json()
        if reply.status_code in MAY_BE:
            return None
        raise WrongAnswerError(f"{reply.status_code} {reply.text[:300]}")

    def _check(self, told: Any, number: int) -> None:
        if told.get("square") != number**2 or told.get("n") != number or told.get("error"):
            raise WrongAnswerError(f"asked for {number}, told {json.dumps(dict(told))[:300]}")
