"""Documents agree with the code and with each other."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from doneyet.setting_values import env_name, flag_name
from doneyet.settings import CLIENT_KEY, Settings
from http_server.wire.problem import TITLES
from task_manager.values import Promises, State
from tests.docs.markdown import anchors, blocks, links
from tests.docs.tables import BLOCK, PROMISES, ROOT, STATUSES, TABLES, documents, renewed

SETTINGS = ROOT / "docs" / "reference" / "settings.md"
PARTS = ("autoscaler", "doneyet", "http_server", "task_manager", "worker")


def name(path: Path) -> str:
    """Where the document is."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", documents(), ids=name)
def test_tables_are_those_of_the_code(path: Path) -> None:
    """`python -m tests.docs.tables` writes them anew."""
    text = path.read_text()
    assert text == renewed(text), f"run: python -m tests.docs.tables (for {name(path)})"


def test_every_table_is_shown_once() -> None:
    """In one document, so that there is one place to look."""
    shown = [match[2] for path in documents() for match in BLOCK.finditer(path.read_text())]
    assert sorted(shown) == sorted(TABLES)


def test_settings_exist_both_ways() -> None:
    """Each setting has a row in the reference, each row a setting; no document names another."""
    row_of = re.compile(r"^\| `(DONEYET_\w+)` \| `(--[\w-]+)` \|", re.MULTILINE)
    names = [row.name for row in dataclasses.fields(Settings)]
    known = {env_name(each): flag_name(each) for each in names}
    assert row_of.findall(SETTINGS.read_text()) == list(known.items())
    for path in documents():
        text = path.read_text()
        named = set(re.findall(r"(?<![A-Z_])DONEYET_[A-Z_]*[A-Z]", text))
        assert named - {CLIENT_KEY} <= known.keys(), f"{name(path)} names {named - known.keys()}"
        for variable, flag in row_of.findall(text):
            assert known[variable] == flag, f"{name(path)}: {variable}"


def test_every_promise_is_explained() -> None:
    """A new attribute of `Promises` needs a row."""
    assert PROMISES.keys() == {row.name for row in dataclasses.fields(Promises)}


def test_the_protocol_tells_all() -> None:
    """Every problem, every state, and every status that a problem has."""
    text = (ROOT / "docs" / "reference" / "protocol.md").read_text()
    assert STATUSES.keys() == TITLES.keys()
    for state in State:
        assert f"`{state}`" in text or f"`{state}`:" in text, state
    for status in set(STATUSES.values()):
        assert status in text


def test_every_problem_has_a_remedy() -> None:
    """Whoever searches the page for what a reply says finds it, with its status."""
    text = (ROOT / "docs" / "how-to" / "troubleshooting.md").read_text()
    rows = re.findall(r"^\| (\d{3}) ((?:`[a-z-]+`(?:, )?)+) \|", text, re.MULTILINE)
    told = {(kind, status) for status, kinds in rows for kind in re.findall(r"`([a-z-]+)`", kinds)}
    assert told == set(STATUSES.items())


def test_every_alert_has_an_entry_in_the_runbook() -> None:
    """With its severity, and how long it takes to fire."""
    rules = re.findall(
        r"- alert: (\w+)\n(?:(?!- alert).*\n)*?(?: +for: (\d+)m\n)? +labels: \{ severity: (\w+) \}",
        (ROOT / "deploy" / "alerts.yml").read_text(),
    )
    text = (ROOT / "docs" / "how-to" / "monitor.md").read_text()
    for alert, minutes, severity in rules:
        after = f"{minutes} minutes" if minutes else "the first one"
        assert f"| [{alert}](#{alert.lower()}) | {severity} | {after} |" in text
        entry = text.partition(f"### {alert}\n")[2].partition("###")[0]
        assert "- **Look**:" in entry, alert
        assert "- **Do**:" in entry, alert
    assert len(rules) == text.count("\n### Doneyet") >= 10


def test_statuses_are_those_of_the_code() -> None:
    """Each kind of problem is raised with the status that the docs say."""
    raised = {
        (kind, status)
        for path in (ROOT / "http_server").rglob("*.py")
        for status, kind in re.findall(
            r"Problem\(\s*(\d{3}),\s*\"([\w-]+)\"", path.read_text(), re.DOTALL
        )
    }
    assert raised
    for kind, status in raised:
        assert STATUSES[kind] == status, kind


def test_error_codes_are_those_of_the_code() -> None:
    """The protocol lists every code that an `error` object can have."""
    parts = ("doneyet/task_types", "worker", "task_manager", "http_server")
    sources = [path for part in parts for path in (ROOT / part).rglob("*.py")]
    found = {
        code
        for path in sources
        for pattern in (r"failure\(\"([a-z-]+)\"", r"\"code\": ?\"([a-z-]+)\"")
        for code in re.findall(pattern, path.read_text())
    }
    text = (ROOT / "docs" / "reference" / "protocol.md").read_text()
    table = text[text.index("Codes of `error`") : text.index("### Replies to an array")]
    assert found == set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE))


def test_the_tour_passes_every_file() -> None:
    """docs/contributing/architecture.md names each module, and no file that does not exist."""
    text = (ROOT / "docs" / "contributing" / "architecture.md").read_text()
    named = set(re.findall(r"`([\w/]+\.py)`", text))
    assert not [name for name in named if not (ROOT / name).is_file()]
    modules = {
        path.relative_to(ROOT).as_posix()
        for part in PARTS
        for path in (ROOT / part).rglob("*.py")
        if not path.name.startswith("__") and path.parent.name != "storage"
    }
    assert not modules - named, "docs/contributing/architecture.md does not say what these are for"


@pytest.mark.parametrize("path", documents(), ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    """To a file of this repository, and to a heading where they name one."""
    for link in links(path):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), f"{name(path)} links to {link}"
        assert not anchor or anchor in anchors(target), f"{name(path)} links to {link}"


def test_the_example_is_the_one_that_can_be_run() -> None:
    """examples/twenty_numbers.py asks as the README shows."""
    (shown,) = [block.text for block in blocks(ROOT / "README.md") if "range(20)" in block.text]
    example = (ROOT / "examples" / "twenty_numbers.py").read_text()

    def steps(text: str) -> list[str]:
        plain = text.replace("'", '"').replace(
            'f"{url}/factorize"', '"http://localhost:8080/factorize"'
        )
        plain = re.sub(r",\s*timeout=10", "", plain[plain.index("done = False") :])
        return re.sub(r"\s+", "", plain).split(",")

    assert steps(shown) == steps(example)
