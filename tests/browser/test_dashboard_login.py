"""The dashboard of a server with keys, and what is seen while a server is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.browser.chromium import Chromium
from tests.browser.dashboard import Dashboard, dashboard_in
from tests.browser.tls import tls_before
from tests.http.keys.conftest import SECRETS, line
from tests.http.servers import ServerProcess, serving

pytestmark = pytest.mark.browser


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """One key of each role."""
    path = tmp_path / "keys.txt"
    path.write_text("".join(line(role, role, secret) for role, secret in SECRETS.items()))
    return path


@pytest.fixture
def keyed(redis_url: str, key_file: Path) -> Iterator[ServerProcess]:
    """A server that has keys, and nobody who works for it."""
    with serving("--keys", str(key_file), "--distributed", redis_url=redis_url) as server:
        yield server


@pytest.fixture
def dashboard(chromium: Chromium, keyed: ServerProcess) -> Iterator[Dashboard]:
    """A tab that is not logged in."""
    with dashboard_in(chromium, keyed.url) as shown:
        yield shown


def log_in(dashboard: Dashboard, secret: str) -> None:
    """As a visitor does: the field has the focus."""
    dashboard.page.wait_for("document.activeElement?.id === 'key'")
    dashboard.page.write(secret)
    dashboard.page.press("Enter")


def forget(dashboard: Dashboard, *statuses: int) -> None:
    """Passes over the refusals of these statuses, which a browser's console shows in any case."""
    troubles = dashboard.page.troubles
    assert troubles
    assert all(any(f"status of {status}" in each for status in statuses) for each in troubles)
    troubles.clear()


def test_in_and_out(dashboard: Dashboard) -> None:
    """A form, then the page and the view that was asked for; logging out leads to the form."""
    dashboard.go("#/tasks?status=failed")
    dashboard.shows("Log in", "h1")
    assert dashboard.counts("nav a:not([hidden])") == 0 or dashboard.page.run("views.hidden")
    assert not dashboard.page.troubles
    log_in(dashboard, SECRETS["operate"])
    dashboard.shows("No failed task.")
    assert dashboard.place() == "#/tasks?status=failed"
    dashboard.shows("operate", "#visitor")
    assert dashboard.page.run("document.cookie") == ""  # no script sees it
    dashboard.go("#/")  # another load of the page: still in
    dashboard.shows("factorization", "table.types")
    dashboard.click("#log-out")
    dashboard.page.wait_for("document.querySelector('#key')")
    assert not dashboard.page.troubles
    assert dashboard.page.run("fetch('load').then((reply) => reply.status)") == 401
    forget(dashboard, 401)


def in_and_on(dashboard: Dashboard) -> None:
    """Logs in, and sees that another load of the page is still in."""
    dashboard.go()
    log_in(dashboard, SECRETS["operate"])
    dashboard.shows("factorization", "table.types")
    dashboard.go("#/tasks?status=failed")
    dashboard.shows("No failed task.")


@pytest.mark.parametrize("root_path", ["", "/ml"])
def test_by_tls(
    chromium: Chromium, redis_url: str, key_file: Path, tmp_path: Path, root_path: str
) -> None:
    """The browser takes the cookie, whose name says that it is for TLS alone, sends it, and forgets
    it in the end."""
    flags = ("--keys", str(key_file), "--distributed", "--root-path", root_path)
    prefix = "__Secure-" if root_path else "__Host-"
    with (
        serving(*flags, redis_url=redis_url) as server,
        tls_before(server.port, tmp_path) as url,
        dashboard_in(chromium, url + root_path) as dashboard,
    ):
        dashboard.page.pass_over_certificates()
        in_and_on(dashboard)
        (cookie,) = dashboard.page.cookies()
        assert cookie["name"].startswith(f"{prefix}doneyet_session_")
        assert (cookie["path"], cookie["secure"]) == (root_path or "/", True)
        dashboard.click("#log-out")
        dashboard.page.wait_for("document.querySelector('#key')")
        assert dashboard.page.cookies() == []


def test_two_deployments_on_one_host(
    chromium: Chromium, keyed: ServerProcess, redis_url: str, key_file: Path
) -> None:
    """Browsers do not tell ports apart, but the names of the cookies differ: both logins stay."""
    flags = ("--keys", str(key_file), "--distributed", "--key-prefix", "another")
    with (
        serving(*flags, redis_url=redis_url) as other,
        dashboard_in(chromium, keyed.url) as dashboard,
    ):
        for server in (keyed, other):
            dashboard.url = server.url
            in_and_on(dashboard)
        dashboard.url = keyed.url
        dashboard.go("#/tasks?status=failed")
        dashboard.shows("No failed task.")
        assert len({cookie["name"] for cookie in dashboard.page.cookies()}) == 2


def test_a_wrong_key_and_a_lesser_one(dashboard: Dashboard) -> None:
    """The form says what is wrong, and stays."""
    dashboard.go()
    log_in(dashboard, "dyk_wrong")
    dashboard.shows("This server does not know the key that was sent.", "#refusal")
    for odd in ("ключ", "a\x01b"):  # what no header can carry
        dashboard.page.run("key.value = ''; key.focus()")
        log_in(dashboard, odd)
        dashboard.shows("This server does not know the key", "#refusal")
    dashboard.page.run("key.value = ''; key.focus()")
    log_in(dashboard, SECRETS["ask"])
    dashboard.shows("it takes the role read", "#refusal")
    forget(dashboard, 401, 403)


def test_who_may_only_look(dashboard: Dashboard, keyed: ServerProcess) -> None:
    """No switches, no cancelling."""
    headers = {"X-API-Key": SECRETS["ask"]}
    task = requests.post(
        f"{keyed.url}/factorize", json={"number": 6}, headers=headers, timeout=10
    ).json()["id"]
    dashboard.go()
    log_in(dashboard, SECRETS["read"])
    dashboard.shows("factorization", "table.types")
    assert dashboard.counts(".toggle") == 0
    for place in ("#/tasks?type=factorization&status=waiting", f"#/tasks/{task}"):
        dashboard.go(place)
        dashboard.shows("waiting")
        dashboard.page.wait_for("!content.hasAttribute('aria-busy')")
        assert dashboard.counts(".danger:not(dialog *)") == 0


def test_who_may_operate(dashboard: Dashboard, keyed: ServerProcess) -> None:
    """The cookie pauses and cancels: the page's own requests are told from those of others."""
    headers = {"X-API-Key": SECRETS["operate"]}
    task = requests.post(
        f"{keyed.url}/factorize", json={"number": 6}, headers=headers, timeout=10
    ).json()["id"]
    dashboard.go()
    log_in(dashboard, SECRETS["operate"])
    dashboard.click(".toggle[data-type=factorization]")
    dashboard.shows("paused", "tr[data-key=factorization]")
    dashboard.go(f"#/tasks/{task}")
    dashboard.click("[data-action=cancel]")
    dashboard.click("#confirm-yes")
    dashboard.shows("cancelled", "h1")


def test_a_key_that_is_taken_away(dashboard: Dashboard, key_file: Path) -> None:
    """The page asks for another one within seconds; what it showed is gone."""
    dashboard.go()
    log_in(dashboard, SECRETS["operate"])
    dashboard.shows("factorization", "table.types")
    key_file.write_text(line("other", "ask", "dyk_other"))
    dashboard.page.wait_for("document.querySelector('#key')")
    assert "factorization" not in dashboard.page.run("document.body.innerText")
    forget(dashboard, 401)


def test_a_server_that_is_away(chromium: Chromium, redis_url: str) -> None:
    """The page says so and when it asks again, keeps what it showed, and goes on by itself."""
    with dashboard_in(chromium, "") as dashboard:
        with serving("--distributed", redis_url=redis_url) as server:
            dashboard.url = server.url
            dashboard.go()
            dashboard.shows("factorization", "table.types")
        dashboard.shows("The server does not answer. Asking again in", "#notice")
        dashboard.shows("not live", "#live")
        dashboard.shows("factorization", "table.types")
        dashboard.shows("Asking again in 8 s", "#notice")  # less often from time to time
        dashboard.page.troubles.clear()  # connections that were refused


def test_redis_is_away(chromium: Chromium) -> None:
    """The server's own words."""
    with serving("--distributed") as server, dashboard_in(chromium, server.url) as dashboard:
        dashboard.page.go(f"{server.url}/dashboard")
        dashboard.shows("Redis", "#notice")
        forget(dashboard, 503)


def test_where_waiting_tasks_are_in_no_list(chromium: Chromium, redis_url: str) -> None:
    """The random queue mode: the page says what to change. It counts them, and knows each by its
    whole id."""
    with serving(redis_url=redis_url) as server, dashboard_in(chromium, server.url) as dashboard:
        task = dashboard.submit("factorize", number=6)["id"]
        dashboard.go("#/tasks?type=factorization&status=waiting")
        dashboard.shows("DONEYET_QUEUE_MODE")
        assert dashboard.counts("[data-action=cancel-waiting]") == 0
        forget(dashboard, 501)
        dashboard.go("#/tasks?type=factorization")
        dashboard.shows("No task of factorization.")
        dashboard.go(f"#/tasks?id={task[:12]}")
        dashboard.shows("The whole id finds any task.")
        dashboard.go("#/")
        dashboard.shows("1waiting\nthe oldest for", ".tiles .waiting")
        dashboard.go(f"#/tasks/{task}")
        dashboard.shows("waiting", "h1")
        dashboard.click("[data-action=cancel]")
        dashboard.click("#confirm-yes")
        dashboard.shows("cancelled", "h1")
