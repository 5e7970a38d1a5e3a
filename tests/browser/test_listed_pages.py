"""What a page of another site can do in a real browser where `DONEYET_CORS_ORIGINS` lists it.

It is at 127.0.0.1, on another port than the server; the same page at `localhost` and at
`evil.example` is not listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.browser.chromium import Chromium
from tests.http.servers import ServerProcess, serving

pytestmark = pytest.mark.browser

SUBMIT = """
fetch(%r, {
  method: 'POST', body: '{"number": 1001}',
  headers: {'Content-Type': 'application/json', 'X-API-Key': 'dyk_any', Prefer: 'wait=0'},
}).then(
  async (reply) => ({status: reply.status, answer: await reply.json(),
    location: reply.headers.get('Location'), retry: reply.headers.get('Retry-After')}),
  () => 'refused')
"""
STATUS = "fetch(%r, {method: %r}).then((reply) => reply.status, () => 'refused')"
FIRST_EVENT = """
new Promise((go) => {
  const events = new EventSource(%r);
  events.addEventListener('status', (event) => { events.close(); go(event.data); });
  events.onerror = () => { events.close(); go('refused'); };
})
"""


@pytest.fixture
def server(redis_url: str, elsewhere: int) -> Iterator[ServerProcess]:
    """A server without workers that lists the other site."""
    flags = ("--cors-origins", f"http://127.0.0.1:{elsewhere}", "--hosts", "box.example")
    with serving(*flags, redis_url=redis_url) as running:
        yield running


@pytest.mark.parametrize("target", ["127.0.0.1", "localhost", "box.example"])
def test_a_listed_page_uses_the_server(
    chromium: Chromium, elsewhere: int, server: ServerProcess, target: str
) -> None:
    """It submits JSON, reads the answer and its headers, follows the task, and cancels it."""
    url = f"http://{target}:{server.port}"
    page = chromium.open(f"http://127.0.0.1:{elsewhere}/")
    told: Any = page.run(SUBMIT % f"{url}/factorize")
    assert (told["status"], told["answer"]["status"]) == (202, "waiting")
    assert told["location"] == f"/tasks/{told['answer']['id']}"
    assert told["retry"] == "1"
    task = url + told["location"]
    assert "waiting" in page.run(FIRST_EVENT % f"{task}/events")
    assert page.run(STATUS % (task, "DELETE")) == 200
    assert page.run(STATUS % (f"{url}/nothing", "GET")) == 404


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_the_same_page_elsewhere_does_not(
    chromium: Chromium, elsewhere: int, server: ServerProcess, host: str
) -> None:
    """An origin is its host and port, too: nothing is submitted, and nothing read."""
    page = chromium.open(f"http://{host}:{elsewhere}/")
    assert page.run(SUBMIT % f"{server.url}/factorize") == "refused"
    assert page.run(STATUS % (f"{server.url}/load", "GET")) == "refused"
    assert requests.get(f"{server.url}/load", timeout=10).json()["load"] == 0
