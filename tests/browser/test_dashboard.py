"""The dashboard, as somebody on duty uses it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.settings import Settings
from doneyet.task_types import load_registry
from task_manager import open_task_manager
from tests.browser.chromium import Chromium
from tests.browser.dashboard import TASKS, Dashboard, Served, dashboard_in
from tests.helpers import wait_until
from tests.http.servers import WorkLoop, serving

pytestmark = pytest.mark.browser

BIG = 2**53 + 1
MARKUP = "<img src=x onerror=document.title='run'><script>document.title='run'</script>"


@pytest.fixture(scope="module")
def served(redis_server: EmbeddedRedis) -> Iterator[Served]:
    """One server and one worker for all of these tests."""
    url = redis_server.url.replace("/0", "/6").replace("db=0", "db=6")
    settings = Settings(
        redis_url=url, queue_mode="distributed", key_prefix="browser", tasks=TASKS
    )
    flags = ("--distributed", "--key-prefix", "browser", "--tasks", TASKS)
    with serving(*flags, redis_url=url) as server:
        work = WorkLoop(settings)
        yield Served(server, work, settings)
        work.close()


@pytest.fixture
def dashboard(chromium: Chromium, served: Served, redis_url: str) -> Iterator[Dashboard]:
    """A tab before an empty Redis; the worker is at work."""
    with dashboard_in(chromium, served.server.url) as shown:
        yield shown


@pytest.fixture
def idle(served: Served) -> Iterator[None]:
    """The worker pauses: what is submitted waits."""
    with served.work.paused():
        yield


def test_all_types_at_once(dashboard: Dashboard) -> None:
    """Each has a row, with what was done lately, who works, and whether it may begin."""
    dashboard.answer("POST", "factorize", json={"number": 6}, headers={"Prefer": "wait=5"})
    dashboard.go()
    dashboard.shows("factorization", "table.types")
    assert dashboard.counts("table.types tbody tr") == len(dashboard.answer("GET", "load")["types"])
    assert dashboard.counts("table.types tbody th[scope=row]") == dashboard.counts(".toggle")
    assert dashboard.counts(".sparkline[role=img][aria-label]") == dashboard.counts(".toggle")
    dashboard.page.wait_for(
        "document.querySelector('.chart svg').getAttribute('aria-label').includes('1 done')"
    )


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
    seen = set[str]()
    for count in (50, 50, 20):
        rows = "[...document.querySelectorAll('table.tasks tbody tr')].map((row) => row.dataset.key)"
        dashboard.page.wait_for(f"{rows}.length === {count} && !main.ariaBusy".replace("main", "content"))
        seen |= set(dashboard.page.run(rows))
        if count == 50:
            dashboard.click("a[rel=next]")
            first = sorted(seen)[0]
            dashboard.page.wait_for(f"!{rows}.includes('{first}')")
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
    dashboard.shows("An id has the digits 0 to 9 and a to f.")


def test_a_task_that_is_not_there(dashboard: Dashboard) -> None:
    """The page says so; the server's 404 is the one error that its console shows."""
    dashboard.go(f"#/tasks/{'0' * 40}")
    dashboard.shows("No such task, or it has expired")
    assert all("404" in trouble for trouble in dashboard.page.troubles)
    dashboard.page.troubles.clear()


def test_keys_of_the_keyboard(dashboard: Dashboard) -> None:
    """Help, themes and refreshing; none of them while one writes."""
    dashboard.go()
    page = dashboard.page
    page.press("?")
    page.wait_for("help.open")
    page.press("t")  # in a dialog it is no command
    page.press("Escape")
    page.wait_for("!help.open")
    themes = []
    for _ in range(3):
        page.press("t")
        themes.append(page.run("document.documentElement.dataset.theme ?? 'system'"))
    assert themes == ["light", "dark", "system"]
    asked = "performance.getEntriesByType('resource').filter((each) => /load$/.test(each.name)).length"
    before = page.run(asked)
    for _ in range(3):
        page.press("r")
        page.wait_for(f"{asked} > {before}")
        before += 1
    page.press("/")
    page.press("t")
    assert page.run("wanted.value") == "t"
    assert page.run("document.documentElement.dataset.theme ?? 'system'") == "system"


def test_the_focus_is_seen_and_stays(dashboard: Dashboard) -> None:
    """The first Tab offers to skip the head; refreshing takes the focus from nothing."""
    dashboard.go()
    page = dashboard.page
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    assert page.run("document.activeElement.getBoundingClientRect().top >= 0")
    page.press("Enter")
    assert page.run("document.activeElement.id") == "content"
    assert dashboard.place() == "#/"
    page.run("window.one = document.querySelector('.toggle'); one.focus()")
    page.press("r")
    page.press("Tab")
    page.run("one.focus()")
    page.run("new Promise((go) => setTimeout(go, 2500))")
    assert page.run("document.activeElement === one && one.isConnected")
    assert page.run("getComputedStyle(one).outlineStyle") != "none"


def test_json_to_the_last_digit(dashboard: Dashboard) -> None:
    """What no JavaScript number can hold is shown and copied as it came."""
    extra = [BIG, -BIG, 0.1, 1e300, 10**40, {"é": '"\\', "empty": {}, "none": []}]
    task = dashboard.answer(
        "POST", "upper", json={"text": MARKUP, "extra": extra}, headers={"Prefer": "wait=5"}
    )
    dashboard.go(f"#/tasks/{task['id']}")
    dashboard.page.wait_for("document.querySelectorAll('.json').length === 2")
    shown = dashboard.page.run("document.querySelector('.json').textContent")
    for number in (f"{BIG}", f"-{BIG}", "1e+300", str(10**40)):
        assert number in shown
    assert MARKUP[:20] in shown  # as text
    assert dashboard.page.run("document.title") != "run"
    for what in ("all", "input", "answer"):
        script = f"import('./dashboard/task.js').then(({{copied}}) => copied('{what}'))"
        copied = dashboard.page.run(script)
        assert (str(BIG) in copied) == (what != "answer")
    received = dashboard.page.run(f"fetch('tasks/{task['id']}').then((reply) => reply.text())")
    assert dashboard.page.run(
        "import('./dashboard/task.js').then(({copied}) => copied('all'))"
    ) == received


def test_copying_without_a_secure_context(dashboard: Dashboard) -> None:
    """On plain http there is no clipboard for scripts; the old way works."""
    told = dashboard.answer("POST", "factorize", json={"number": BIG}, headers={"Prefer": "wait=5"})
    dashboard.go(f"#/tasks/{told['id']}")
    dashboard.page.run("Object.defineProperty(window, 'isSecureContext', {value: false}), 0")
    dashboard.page.run(
        "document.addEventListener('copy', () => { window.copied = String(getSelection()) "
        "|| document.activeElement.value; })"
    )
    dashboard.click("[data-what=input]")
    dashboard.page.wait_for(f"window.copied === '{{\"number\":{BIG}}}'")


@pytest.mark.parametrize(
    "text",
    [
        '{"a":9007199254740993,"b":[1,2.50,-0.0,1E5],"c":"x\\"y\\\\","d":{},"e":[]}',
        '[[[["deep"]]],null,true,false,"\\u00e9 , : { } [ ]"]',
        '"a text"',
        "12345678901234567890.10",
        '{"long":["' + '","'.join("word" for _ in range(100)) + '"]}',
    ],
)
def test_indenting_changes_no_token(dashboard: Dashboard, text: str) -> None:
    """Without the blanks between tokens, it is the text that was received."""
    dashboard.go()
    script = """Promise.all([import('./dashboard/json.js'), import('./dashboard/dom.js')]).then(
        ([{shown}, {h}]) => h('pre', null, shown(TEXT)).textContent)"""
    import json

    shown = dashboard.page.run(script.replace("TEXT", json.dumps(text)))
    strings = r'("[^"\\]*(?:\\.[^"\\]*)*")|\s+'
    import re

    assert re.sub(strings, lambda found: found[1] or "", shown) == text


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


@pytest.mark.parametrize("width", [375, 320, 768, 1024])
def test_nothing_is_wider_than_the_screen(dashboard: Dashboard, idle: None, width: int) -> None:
    """In no view, however long a text is."""
    text = "n" * 300
    task = dashboard.submit("upper", text=text, extra={text: [BIG] * 30})["id"]
    dashboard.page.resize(width, 800)
    for place in ("#/", "#/tasks", "#/tasks?type=upper&status=waiting", f"#/tasks/{task}"):
        dashboard.go(place)
        dashboard.page.wait_for("!content.hasAttribute('aria-busy') && content.children.length > 2")
        widest = dashboard.page.run("document.documentElement.scrollWidth")
        assert widest <= width, place


def test_a_hidden_tab_asks_nothing(dashboard: Dashboard) -> None:
    """And asks at once when it is seen again."""
    dashboard.go()
    page = dashboard.page
    asked = "performance.getEntriesByType('resource').filter((each) => /load$/.test(each.name)).length"
    show = (
        "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    before = page.run(asked)
    page.wait_for(f"{asked} > {before}")
    page.run(show % "true")
    page.run("new Promise((go) => setTimeout(go, 300))")
    before = page.run(asked)
    page.run("new Promise((go) => setTimeout(go, 5000))")
    assert page.run(asked) == before
    page.run(show % "false")
    page.wait_for(f"{asked} > {before}")


def test_a_link_on_another_site_leads_here(dashboard: Dashboard) -> None:
    """In a tab of its own; then the page asks as if it had been typed."""
    page = dashboard.page
    page.go("data:text/html,<title>elsewhere</title>")
    page.run(
        f"document.body.innerHTML = '<a href={dashboard.url}/dashboard>x</a>';"
        "document.querySelector('a').click()"
    )
    dashboard.shows("factorization", "table.types")
