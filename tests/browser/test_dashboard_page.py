"""What holds in all views of the dashboard: the keyboard, exact numbers, narrow screens, quiet."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.dashboard import Dashboard

pytestmark = pytest.mark.browser

BIG = 2**53 + 1
MARKUP = "<img src=x onerror=document.title='run'><script>document.title='run'</script>"
ASKED = "performance.getEntriesByType('resource').filter((each) => /load$/.test(each.name)).length"
"""How often the page has asked so far."""


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
    before = page.run(ASKED)
    for _ in range(3):
        page.press("r")
        page.wait_for(f"{ASKED} > {before}")
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
    assert (
        dashboard.page.run("import('./dashboard/task.js').then(({copied}) => copied('all'))")
        == received
    )


def test_what_is_too_long_to_be_shown(dashboard: Dashboard) -> None:
    """The page shows a beginning and says so; copying copies all."""
    text = "x" * 300_000
    told = dashboard.answer("POST", "upper", json={"text": text}, headers={"Prefer": "wait=5"})
    dashboard.go(f"#/tasks/{told['id']}")
    dashboard.shows("more characters. Copy copies all.")
    copied = "import('./dashboard/task.js').then(({copied}) => copied('answer').length)"
    assert dashboard.page.run(copied) > len(text)
    assert dashboard.page.run("document.querySelector('.json').textContent.length") < 250_000


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
    shown = dashboard.page.run(script.replace("TEXT", json.dumps(text)))
    strings = r'("[^"\\]*(?:\\.[^"\\]*)*")|\s+'
    assert re.sub(strings, lambda found: found[1] or "", shown) == text


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
    show = (
        "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    before = page.run(ASKED)
    page.wait_for(f"{ASKED} > {before}")
    page.run(show % "true")
    page.run("new Promise((go) => setTimeout(go, 300))")
    before = page.run(ASKED)
    page.run("new Promise((go) => setTimeout(go, 5000))")
    assert page.run(ASKED) == before
    page.run(show % "false")
    page.wait_for(f"{ASKED} > {before}")


def test_a_link_on_another_site_leads_here(dashboard: Dashboard) -> None:
    """In a tab of its own; then the page asks as if it had been typed."""
    page = dashboard.page
    page.go("data:text/html,<title>elsewhere</title>")
    page.run(
        f"document.body.innerHTML = '<a href={dashboard.url}/dashboard>x</a>';"
        "document.querySelector('a').click()"
    )
    dashboard.shows("factorization", "table.types")
