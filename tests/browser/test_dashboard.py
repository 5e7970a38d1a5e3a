"""The dashboard, as somebody on duty uses it."""

from __future__ import annotations

import json

import pytest

from doneyet.task_types import load_registry
from task_manager import open_task_manager
from tests.browser.chromium import Chromium
from tests.browser.dashboard import Dashboard, Served, dashboard_in
from tests.helpers import wait_until
from tests.http.servers import serving

pytestmark = pytest.mark.browser

BIG = 2**53 + 1


def test_all_types_at_once(dashboard: Dashboard) -> None:
    """Each has a row, with what was done lately, who works, and whether it may begin."""
    dashboard.answer("POST", "factorize", json={"number": 6}, headers={"Prefer": "wait=5"})
    dashboard.go()
    dashboard.shows("factorization", "table.types")
    assert dashboard.counts("table.types tbody tr") == len(dashboard.answer("GET", "load")["types"])
    assert dashboard.counts("table.types tbody th[scope=row]") == dashboard.counts(".toggle")
    assert dashboard.counts(".sparkline[role=img][aria-label]") == dashboard.counts(".toggle")
    # One process that serves all of them is one worker.
    assert dashboard.page.run("document.querySelector('.tiles .workers b').innerText") == "1"
    dashboard.shows("1 idle", "ul.workers")
    assert dashboard.counts(".chart .chips") == 0, "the server keeps no hours"
    dashboard.page.wait_for(
        "document.querySelector('.chart svg').getAttribute('aria-label').includes('1 done')"
    )


def test_other_times(chromium: Chromium, redis_url: str) -> None:
    """Where the server keeps hours, the chart shows a day or 30; the address says which."""
    flags = ("--distributed", "--hourly-history", "on")
    with (
        serving(*flags, redis_url=redis_url) as server,
        dashboard_in(chromium, server.url) as shown,
    ):
        shown.submit("factorize", number=6)
        shown.go()
        for link, head, began in (("30 days", "30 days", 720), ("day", "24 hours", 24)):
            shown.shows(link, ".chart .chips")
            shown.page.run(
                "[...document.querySelectorAll('.chart .chips a')]"
                f".find((each) => each.textContent === '{link}').click()"
            )
            shown.shows(f"Last {head}", ".chart h2")
            shown.shows("1 submitted", ".chart .legend")
            told = "JSON.parse(document.querySelector('.chart').dataset.chart).began.length"
            assert shown.page.run(told) == began
        assert shown.place() == "#/?range=day"


def test_from_a_failure_to_its_task_and_back(dashboard: Dashboard) -> None:
    """The overview tells code and detail; the task's page the rest; the back button leads back."""
    task = dashboard.submit("upper", text="fail")
    dashboard.go()
    dashboard.shows("told to fail", ".failures")
    dashboard.shows("task-failed", ".failures")
    dashboard.click(f".failures a[href='#/tasks/{task['id']}']")
    dashboard.shows("told to fail", ".problem")
    dashboard.shows(task["id"], "h1")
    dashboard.shows("Failed", ".timeline")
    assert '"fail"' in dashboard.page.run("document.querySelector('.json').innerText")
    dashboard.page.run("history.back()")
    dashboard.page.wait_for("document.querySelector('.failures')")


def test_nobody_works(dashboard: Dashboard, served: Served, idle: None) -> None:
    """A type whose tasks wait without a worker is seen at once."""
    dashboard.submit("factorize", number=6)
    manager = open_task_manager(served.settings, load_registry(served.settings).types)
    manager.recover("loop", list(load_registry(served.settings).types))
    manager.close()
    dashboard.go()
    dashboard.shows("none", "tr.alarm")


def test_what_is_not_known_is_said(dashboard: Dashboard) -> None:
    """Where a part of Redis is away: no zeros, neither in the overview nor in the lists."""
    dashboard.go()
    told = dashboard.answer("GET", "load")
    del told["types"]["factorization"]
    told |= {"load": None, "waiting": None, "running": None, "unavailable": ["factorization"]}
    dashboard.page.run(
        "const ask = window.fetch; window.fetch = (path, more) => path === 'load'"
        f" ? Promise.resolve(new Response({json.dumps(json.dumps(told))})) : ask(path, more)"
    )
    for view in ("#/", "#/tasks"):
        dashboard.page.run(f"location.hash = {view!r}")
        dashboard.shows("Redis does not answer for factorization", ".missing")
    dashboard.page.run("location.hash = '#/'")
    dashboard.page.wait_for("document.querySelector('.tiles .waiting b')?.innerText === '\\u2013'")


def test_a_question_is_not_answered_by_the_one_before(dashboard: Dashboard, idle: None) -> None:
    """Whose dialog tells late that it was closed, on a busy machine after the next was opened."""
    task = dashboard.submit("factorize", number=78)["id"]
    dashboard.go(f"#/tasks/{task}")
    dashboard.page.wait_for("document.querySelector('[data-action=cancel]')")
    dashboard.page.run(
        "import('./dashboard/dialogs.js').then(({ confirmed }) => {"
        " const words = { head: 'Sure?', text: '', yes: 'Yes' };"
        " confirmed(words); document.querySelector('#confirm-no').click();"
        " confirmed(words).then((said) => { window.said = said; });"
        " return new Promise((resolve) => setTimeout(resolve, 100)); })"
    )
    dashboard.click("#confirm-yes")
    dashboard.page.wait_for("window.said !== undefined")
    assert dashboard.page.run("window.said") is True


def test_cancelling(dashboard: Dashboard, idle: None) -> None:
    """Only after a yes; the page then says how the task is."""
    task = dashboard.submit("factorize", number=77)["id"]
    dashboard.go(f"#/tasks/{task}")
    dashboard.click("[data-action=cancel]")
    dashboard.shows("for everybody", "#confirm")
    dashboard.click("#confirm-no")
    assert dashboard.answer("GET", f"tasks/{task}")["status"] == "waiting"
    dashboard.click("[data-action=cancel]")
    dashboard.click("#confirm-yes")
    dashboard.shows("cancelled", "h1")
    assert dashboard.answer("GET", f"tasks/{task}")["status"] == "cancelled"
    assert dashboard.counts("[data-action=cancel]") == 0


def test_cancelling_all_that_wait(dashboard: Dashboard, idle: None) -> None:
    """It says how many, and keeps the filters."""
    body = [{"number": number} for number in range(2, 62)]
    dashboard.answer("POST", "factorize", json=body)
    other = dashboard.submit("upper", text="stays")["id"]
    dashboard.go("#/tasks?type=factorization&status=waiting")
    dashboard.shows("Cancel 60 waiting tasks")
    dashboard.click("[data-action=cancel-waiting]")
    dashboard.shows("Cancel 60 waiting tasks of factorization?", "#confirm")
    dashboard.click("#confirm-yes")
    dashboard.shows("60 tasks of factorization cancelled.", "#said")
    dashboard.shows("No waiting task of factorization.")
    assert dashboard.place() == "#/tasks?type=factorization&status=waiting"
    assert dashboard.answer("GET", "load/factorization")["waiting"] == 0
    assert dashboard.answer("GET", f"tasks/{other}")["status"] == "waiting"


def test_pausing(dashboard: Dashboard) -> None:
    """One switch a type, which shows how it is, also where somebody else changed that."""
    switch = ".toggle[data-type=factorization]"
    dashboard.go()
    dashboard.click(f"{switch}[aria-checked=true]")
    dashboard.page.wait_for(f"document.querySelector('{switch}[aria-checked=false]')")
    dashboard.shows("paused", "tr[data-key=factorization]")
    assert dashboard.answer("GET", "load/factorization")["paused"]
    dashboard.answer("POST", "types/factorization/resume")
    dashboard.page.wait_for(f"document.querySelector('{switch}[aria-checked=true]')")


def test_filters_are_in_the_address(dashboard: Dashboard) -> None:
    """It can be sent to somebody; the back button undoes one step."""
    dashboard.submit("upper", text="fail")
    dashboard.answer("POST", "factorize", json={"number": 6}, headers={"Prefer": "wait=5"})
    dashboard.go("#/tasks?type=upper&status=failed")
    dashboard.shows("told to fail")
    assert dashboard.page.run("document.getElementById('type').value") == "upper"
    assert dashboard.counts("table.tasks tbody tr") == 1
    dashboard.click(".chips a.done")
    dashboard.shows("No done task of upper.")
    dashboard.page.run(
        "type.value = 'factorization'; type.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    dashboard.page.wait_for("document.querySelectorAll('table.tasks tbody tr').length === 1")
    assert dashboard.place() == "#/tasks?type=factorization&status=done"
    dashboard.page.run("history.back()")
    dashboard.shows("No done task of upper.")
    dashboard.page.run("history.back()")
    dashboard.shows("told to fail")


def test_pages(dashboard: Dashboard) -> None:
    """Of 50 tasks each, by the back button or to the first one."""
    body = [{"number": number} for number in range(2, 122)]
    dashboard.answer("POST", "factorize", json=body, headers={"Prefer": "wait=10"})
    dashboard.go("#/tasks?status=done")
    rows = "[...document.querySelectorAll('table.tasks tbody tr')].map((row) => row.dataset.key)"
    seen, last = set[str](), ""
    for count in (50, 50, 20):
        dashboard.page.wait_for(f"{rows}.length === {count} && {rows}[0] !== '{last}'")
        shown = dashboard.page.run(rows)
        seen, last = seen | set(shown), shown[0]
        if count == 50:
            dashboard.click("a[rel=next]")
    assert len(seen) == 120
    dashboard.page.run("history.back()")
    dashboard.click(".pages a[href='#/tasks?status=done']")
    dashboard.page.wait_for("!location.hash.includes('after')")


def test_finding_a_task_by_its_id(dashboard: Dashboard) -> None:
    """By the keyboard alone: the beginning lists, the whole id opens."""
    told = dashboard.answer("POST", "factorize", json={"number": 6}, headers={"Prefer": "wait=5"})
    dashboard.go()
    for length, found in ((12, "table.tasks"), (40, ".timeline")):
        dashboard.page.press("/")
        assert dashboard.page.run("document.activeElement.id") == "wanted"
        dashboard.page.write(told["id"][:length])
        dashboard.page.press("Enter")
        dashboard.page.wait_for(f"document.querySelector('{found}')")
        assert told["id"][:length] in dashboard.place()
    dashboard.go("#/tasks?id=xyz")
    dashboard.shows("Give at least four digits of the id")


def test_a_task_that_is_not_there(dashboard: Dashboard) -> None:
    """The page says so; the server's 404 is the one error that its console shows."""
    dashboard.go(f"#/tasks/{'0' * 40}")
    dashboard.shows("No such task, or it has expired")
    assert all("404" in trouble for trouble in dashboard.page.troubles)
    dashboard.page.troubles.clear()


def test_progress_as_it_goes(dashboard: Dashboard, served: Served, idle: None) -> None:
    """Without a reload; watching keeps no task alive that nobody else wants."""
    task = dashboard.submit("steps", seconds=1)["id"]
    types = load_registry(served.settings).types
    manager = open_task_manager(served.settings, types)
    manager.renew({"by-hand": ["steps"]}, 60)
    wait_until(lambda: manager.claim("by-hand", ["steps"], 1, 0.1), description="it is claimed")
    dashboard.go(f"#/tasks/{task}")
    dashboard.shows("running", "h1")
    for fraction, message in ((0.25, "one of four"), (0.75, "three of four")):
        manager.progress("by-hand", {task: ("steps", fraction, message)})
        dashboard.shows(f"{round(100 * fraction)} % · {message}")
    dashboard.go()
    dashboard.shows(task[:8], "ul.workers")
    manager.recover("by-hand", ["steps"])
    manager.close()


def test_running_again(dashboard: Dashboard) -> None:
    """With exactly the input that the answer repeats; else there is no button for it."""
    failed = dashboard.submit("upper", text="fail", extra=BIG)["id"]
    wait_until(
        lambda: dashboard.answer("GET", f"tasks/{failed}")["done"], description="it has failed"
    )
    first = dashboard.answer("GET", f"tasks/{failed}")["started_at"]
    dashboard.go(f"#/tasks/{failed}")
    dashboard.click("[data-action=run-again]")
    dashboard.shows("The task runs again.", "#said")
    wait_until(
        lambda: dashboard.answer("GET", f"tasks/{failed}").get("started_at") not in (None, first),
        description="it has run again",
    )
    asked = {"question": "Who?", "context": "Me.", "model": "bert"}
    hidden = dashboard.answer(
        "POST", "question-answering", json=asked, headers={"Prefer": "wait=5"}
    )
    dashboard.go(f"#/tasks/{hidden['id']}")
    dashboard.shows("does not tell the whole input")
    assert dashboard.counts("[data-action=run-again]") == 0
