"""What web pages can do to a server on their visitor's machine, in a real browser: nothing.

Another site is a page on another port of this machine, and a page called `evil.example`. That the
same requests work where they may is seen on the server's own pages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.browser.chromium import Chromium, Page
from tests.http.servers import ServerProcess, serving

pytestmark = pytest.mark.browser

WAYS = {
    "fetch": "send('POST', '/factorize', '{\"number\":1001}')",
    "fetch without CORS": "send('POST', '/factorize', '{\"number\":1002}', {mode: 'no-cors'})",
    "fetch with JSON": "send('POST', '/factorize', '{\"number\":1003}', "
    "{headers: {'Content-Type': 'application/json'}})",
    "fetch without referrer": "send('POST', '/factorize', '{\"number\":1004}', "
    "{mode: 'no-cors', referrerPolicy: 'no-referrer'})",
    "beacon": "navigator.sendBeacon(TARGET + '/factorize', '{\"number\":1005}')",
    "form": "form('application/x-www-form-urlencoded', 'number', '1006')",
    "form as text": "form('text/plain', '{\"number\":1007,\"x', '\":1}')",
    "form with parts": "form('multipart/form-data', 'number', '1008')",
    "form in a sandbox": "sandboxed('number', '1009')",
    "cancel": "send('DELETE', '/tasks/' + ID)",
    "cancel without CORS": "send('DELETE', '/tasks/' + ID, undefined, {mode: 'no-cors'})",
    "read": "send('GET', '/tasks/' + ID)",
    "read the reference": "send('GET', '/openapi.json')",
    "image": "loaded('img', '/tasks/' + ID)",
    "script": "loaded('script', '/tasks/' + ID)",
    "frame": "framed('/docs')",
}
"""What a page may try, as JavaScript; each comes to what the page learned."""

SCRIPT = """
(async () => {
  const TARGET = %(target)s, ID = %(id)s;
  const soon = (promise) => Promise.race([promise, new Promise((go) => setTimeout(go, 1500, "?"))]);
  const send = (method, path, body, more) => fetch(TARGET + path, {method, body, ...more})
    .then(async (reply) => `${reply.status} ${await reply.text()}`, () => "refused");
  const inFrame = (frame) => soon(new Promise((go) => {
    frame.onload = () => go("loaded");
    document.body.append(frame);
  }));
  const form = (type, name, value) => {
    const frame = document.createElement("iframe"), made = document.createElement("form");
    const field = document.createElement("input");
    frame.name = `frame-${type}`;
    Object.assign(made, {method: "post", action: TARGET + "/factorize", enctype: type});
    Object.assign(field, {name, value});
    made.target = frame.name;
    made.append(field);
    document.body.append(frame, made);
    return soon(new Promise((go) => { frame.onload = () => go("sent"); made.submit(); }));
  };
  const sandboxed = (name, value) => {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts allow-forms";
    frame.srcdoc = `<form method=post action="${TARGET}/factorize"><input name=${name}
      value=${value}></form><script>document.forms[0].submit()<\\/script>`;
    return soon(new Promise((go) => {
      let loads = 0;
      frame.onload = () => { loads += 1; if (loads === 2) go("sent"); };
      document.body.append(frame);
    }));
  };
  const loaded = (tag, path) => soon(new Promise((go) => {
    const made = document.createElement(tag);
    made.onload = () => go("loaded");
    made.onerror = () => go("refused");
    made.src = TARGET + path;
    document.body.append(made);
  }));
  const framed = (path) => {
    const frame = document.createElement("iframe");
    frame.src = TARGET + path;
    return inFrame(frame);
  };
  return String(await (%(way)s));
})()
"""


@pytest.fixture
def server(redis_url: str) -> Iterator[ServerProcess]:
    """A server with an empty Redis and without workers: what is submitted waits."""
    flags = ("--hosts", "box.example", "--max-wait-s", "0")  # else the reference holds 20 s
    with serving(*flags, redis_url=redis_url) as running:
        yield running


@pytest.fixture
def waiting(server: ServerProcess) -> str:
    """The id of the one task that waits."""
    return str(
        requests.post(f"{server.url}/factorize", json={"number": 77}, timeout=10).json()["id"]
    )


def try_all(page: Page, target: str, task_id: str) -> dict[str, str]:
    """What a page learns by each of `WAYS`."""
    return {
        name: page.run(
            SCRIPT % {"target": json.dumps(target), "id": json.dumps(task_id), "way": way}
        )
        for name, way in WAYS.items()
    }


def state(server: ServerProcess, task_id: str) -> tuple[Any, Any]:
    """How many tasks there are, and how the first one is."""
    load = requests.get(f"{server.url}/load/factorization", timeout=10).json()
    task = requests.get(f"{server.url}/tasks/{task_id}", timeout=10).json()
    return load["load"], task["status"]


LEARNED_NOTHING = {"refused", "0 ", "sent", "loaded", "?", "true", "false"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page_host", ["127.0.0.1", "localhost", "evil.example"])
@pytest.mark.parametrize("target_host", ["127.0.0.1", "localhost", "box.example"])
def test_a_page_of_another_site_can_do_nothing(
    chromium: Chromium,
    elsewhere: int,
    server: ServerProcess,
    waiting: str,
    page_host: str,
    target_host: str,
) -> None:
    """It submits nothing, cancels nothing, and reads nothing, by whichever name it calls us.

    At `box.example`, which is neither loopback nor HTTPS, the browser says only the origin.
    """
    page = chromium.open(f"http://{page_host}:{elsewhere}/")
    learned = try_all(page, f"http://{target_host}:{server.port}", waiting)
    assert set(learned.values()) <= LEARNED_NOTHING, learned
    assert learned["image"] == learned["script"] == "refused"
    assert state(server, waiting) == (1, "waiting")


def test_a_form_that_leaves_the_page_can_do_nothing(
    chromium: Chromium, elsewhere: int, server: ServerProcess, waiting: str
) -> None:
    """The visitor sees the problem, which names the setting."""
    page = chromium.open(f"http://evil.example:{elsewhere}/")
    page.run(
        f"document.body.innerHTML = '<form method=post action={server.url}/factorize>"
        "<input name=number value=91></form>'; document.forms[0].submit()"
    )
    page.wait_for(f"location.origin === '{server.url}' && document.readyState === 'complete'")
    assert "urn:doneyet:problem:foreign-page" in page.run("document.body.innerText")
    assert state(server, waiting) == (1, "waiting")


@pytest.mark.timeout(120)
def test_a_name_that_its_owner_had_lead_here(
    chromium: Chromium, server: ServerProcess, waiting: str
) -> None:
    """For the browser the page is this server's own (DNS rebinding); `Host` says otherwise."""
    page = chromium.open(f"http://evil.example:{server.port}/docs")
    assert "urn:doneyet:problem:foreign-host" in page.run("document.body.innerText")
    for way, sent in (
        ("POST", "fetch('/factorize', {method: 'POST', body: '{\"number\": 91}'})"),
        ("DELETE", f"fetch('/tasks/{waiting}', {{method: 'DELETE'}})"),
        ("GET", f"fetch('/tasks/{waiting}')"),
    ):
        assert page.run(f"{sent}.then((reply) => reply.status)") == 403, way
    assert state(server, waiting) == (1, "waiting")


OPERATION = "document.querySelector('[data-path=\"/factorize\"]')?.closest('.opblock')"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "box.example"])
def test_the_reference_can_be_tried(chromium: Chromium, server: ServerProcess, host: str) -> None:
    """The server's own page submits, and cancels, by any name that it has."""
    page = chromium.open(f"http://{host}:{server.port}/docs")
    page.wait_for(OPERATION)
    page.run(f"window.shown = {OPERATION}; shown.querySelector('.opblock-summary-control').click()")
    page.wait_for("shown.querySelector('.execute')")
    # A click that comes before the page has filled in the example does nothing.
    page.wait_for(
        "shown.querySelector('.curl-command') || (shown.querySelector('.execute').click(), false)"
    )
    page.wait_for("shown.querySelector('.live-responses-table .response-col_status')")
    told = page.run("shown.querySelector('.live-responses-table .highlight-code').innerText")
    found = json.loads(told[told.index("{") : told.rindex("}") + 1])
    assert state(server, found["id"]) == (1, "waiting")
    cancelled = f"fetch('/tasks/{found['id']}', {{method: 'DELETE'}}).then((reply) => reply.status)"
    assert page.run(cancelled) == 200


def test_a_link_on_another_site_leads_to_the_reference(
    chromium: Chromium, elsewhere: int, server: ServerProcess
) -> None:
    """In a tab of its own, where it works as if it had been typed."""
    page = chromium.open(f"http://evil.example:{elsewhere}/")
    page.run(
        f"document.body.innerHTML = '<a href={server.url}>docs</a>';"
        "document.querySelector('a').click()"
    )
    page.wait_for(f"location.pathname === '/docs' && {OPERATION}")
