"""The dashboard in a browser, before a real server with a worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from doneyet.settings import Settings
from tests.browser.chromium import Chromium, Page
from tests.http.servers import ServerProcess, WorkLoop

TASKS = "factorization,tests.http.task_types"


@dataclass
class Dashboard:
    """A tab that shows the dashboard of `url`."""

    page: Page
    url: str

    def go(self, place: str = "#/") -> None:
        """Opens what stands behind the address of the page, as if it had been typed."""
        self.page.go(f"{self.url}/dashboard{place}")
        self.page.wait_for("document.querySelector('main h1')")

    def click(self, selector: str) -> None:
        """Clicks what is seen, or will be soon."""
        self.page.wait_for(f"document.querySelector({json.dumps(selector)})?.checkVisibility()")
        self.page.run(f"document.querySelector({json.dumps(selector)}).click()")

    def shows(self, text: str, within: str = "main") -> None:
        """Returns once `text` is seen.

        Raises:
            AssertionError: it is not; tells what is.
        """
        seen = f"document.querySelector({json.dumps(within)})?.innerText"
        try:
            self.page.wait_for(f"{seen}?.includes({json.dumps(text)})")
        except AssertionError as error:
            raise AssertionError(f"{text!r} is not in {self.page.run(seen)!r}") from error

    def counts(self, selector: str) -> int:
        """How many there are."""
        return int(self.page.run(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def place(self) -> str:
        """What stands behind the address of the page."""
        return str(self.page.run("location.hash"))

    def submit(self, endpoint: str, **fields: Any) -> dict[str, Any]:
        """An answer object, as any client gets it."""
        return self.answer("POST", endpoint, json=fields)

    def answer(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """What the server says without the page."""
        told: dict[str, Any] = requests.request(
            method, f"{self.url}/{path}", timeout=20, **more
        ).json()
        return told


@contextmanager
def dashboard_in(chromium: Chromium, url: str) -> Iterator[Dashboard]:
    """A tab of its own, in which nothing may go wrong."""
    page = chromium.open("data:text/html,<title>nothing yet</title>")
    page.watch()
    page.resize(1280, 900)
    yield Dashboard(page, url)
    troubles = page.troubles
    page.close()
    assert not troubles, troubles


@dataclass
class Served:
    """A server process, and who works for it."""

    server: ServerProcess
    work: WorkLoop
    settings: Settings
