"""A real browser without a window, spoken to over its debugging pipe (Chrome DevTools Protocol)."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-proxy-server", "--remote-debugging-pipe"),
)


class Chromium:
    """Chromium with an empty profile; `hosts` are names that lead to 127.0.0.1 in it alone."""

    def __init__(self, program: str, hosts: tuple[str, ...] = ()) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        rules = ",".join(f"MAP {host} 127.0.0.1" for host in hosts)
        ends_in, self._to = os.pipe()
        self._from, ends_out = os.pipe()
        # The browser reads from descriptor 3 and writes to 4, which neither end may be before.
        theirs_in, theirs_out = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (ends_in, ends_out))
        line = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out} {theirs_in}<&- {theirs_out}>&-'
        self._process = subprocess.Popen(
            [
                *("bash", "-c", line, "bash", program, *FLAGS),
                f"--user-data-dir={self._profile.name}",
                f"--host-resolver-rules={rules}",
                "about:blank",
            ],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (ends_in, ends_out, theirs_in, theirs_out):
            os.close(end)
        self._replies = os.fdopen(self._from, "rb")
        self._numbers = itertools.count(1)
        self._left = b""
        self.troubles: dict[str, list[str]] = defaultdict(list)
        """By session, what consoles showed of errors, since `Page.watch`."""

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """What one method of the protocol returns; of events, only errors are kept."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._receive()
            if trouble := _trouble(reply):
                self.troubles[reply["sessionId"]].append(trouble)
            if reply.get("id") == number:
                assert "error" not in reply, f"{method}: {reply['error']}"
                return reply["result"]

    def open(self, url: str) -> Page:
        """A new tab that shows `url`, once it is loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self, attached["sessionId"])
        page.go(url)
        return page

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, AssertionError):
            self.call("Browser.close")
        os.close(self._to)
        self._replies.close()
        self._process.wait(timeout=20)
        self._profile.cleanup()

    def _receive(self) -> Any:
        while b"\0" not in self._left:
            read = os.read(self._from, 1 << 16)
            assert read, "the browser ended"
            self._left += read
        message, _, self._left = self._left.partition(b"\0")
        return json.loads(message)


class Page:
    """One tab."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser, self._session = browser, session

    def go(self, url: str) -> None:
        """Follows what a user typed, until the page is loaded."""
        self._browser.call("Page.navigate", self._session, url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def watch(self) -> None:
        """From now on, keeps what goes wrong in this tab in `troubles`."""
        for domain in ("Runtime", "Log"):
            self._browser.call(f"{domain}.enable", self._session)

    @property
    def troubles(self) -> list[str]:
        """Exceptions, errors in the console, and what the page's policy forbade."""
        self.run("0")  # what was told until now comes before the reply
        return self._browser.troubles[self._session]

    def resize(self, width: int, height: int) -> None:
        """As if the window had so many pixels."""
        shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._browser.call("Emulation.setDeviceMetricsOverride", self._session, **shape)

    def press(self, key: str) -> None:
        """One key, where the focus is: a character, or a name such as `Enter`."""
        text = {"text": {"Enter": "\r"}.get(key, key)} if len(key) == 1 or key == "Enter" else {}
        for kind, more in (("keyDown", text), ("keyUp", {})):
            said = {"type": kind, "key": key, **_CODES.get(key, {}), **more}
            self._browser.call("Input.dispatchKeyEvent", self._session, **said)

    def write(self, text: str) -> None:
        """Text, where the focus is."""
        self._browser.call("Input.insertText", self._session, text=text)

    def cookies(self) -> list[Any]:
        """What the browser has kept for this page."""
        kept: list[Any] = self._browser.call("Network.getCookies", self._session)["cookies"]
        return kept

    def pass_over_certificates(self) -> None:
        """Whoever made them, in this tab."""
        self._browser.call("Security.setIgnoreCertificateErrors", self._session, ignore=True)

    def close(self) -> None:
        """Closes the tab, and forgets all cookies."""
        self._browser.call("Network.clearBrowserCookies", self._session)
        self._browser.call("Page.close", self._session)

    def run(self, script: str) -> Any:
        """What `script` evaluates to in the page, promises awaited, as if a user had acted."""
        given = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        done = self._browser.call("Runtime.evaluate", self._session, expression=script, **given)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Returns once `condition` holds in the page, which may change to another meanwhile."""
        from tests.helpers import wait_until

        def holds() -> bool:
            with suppress(AssertionError):  # the page that was asked is gone
                return bool(self.run(f"Boolean({condition})"))
            return False

        wait_until(holds, description=condition, timeout_s=30)


_CODES = {
    "Enter": {"code": "Enter", "windowsVirtualKeyCode": 13},
    "Escape": {"code": "Escape", "windowsVirtualKeyCode": 27},
    "Tab": {"code": "Tab", "windowsVirtualKeyCode": 9},
}


def _trouble(event: Any) -> str:
    """What an event says that went wrong; empty where nothing did."""
    told = event.get("params", {})
    if event.get("method") == "Runtime.exceptionThrown":
        details = told["exceptionDetails"]
        return str(details.get("exception", {}).get("description") or details["text"])
    if event.get("method") == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"):
        return str([each.get("description", each.get("value")) for each in told["args"]])
    if event.get("method") == "Log.entryAdded" and told["entry"]["level"] == "error":
        return f"{told['entry']['text']} {told['entry'].get('url', '')}"
    return ""


def find_program() -> str | None:
    """The browser's path, or None."""
    found = filter(None, map(shutil.which, PROGRAMS))
    return str(Path(next(found))) if any(map(shutil.which, PROGRAMS)) else None
