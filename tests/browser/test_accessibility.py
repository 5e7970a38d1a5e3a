"""axe-core finds nothing in the dashboard: names, contrast, structure, also dark and on a phone."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.dashboard import Dashboard, dashboard_in
from tests.helpers import leave_to_ci
from tests.http.servers import serving

pytestmark = pytest.mark.browser

AXE = "axe-core@4"
RUN = """axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => violations.map(
    ({id, nodes}) => `${id}: ${nodes.map(({html}) => html.slice(0, 200)).join(" ")}`))"""


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checker's script, which is no part of this repository."""
    folder: Path = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        leave_to_ci("no npm on PATH, which fetches axe-core")
    command = [npm, "pack", AXE, "--silent", "--prefer-offline"]
    fetched = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=90, check=False
    )
    if fetched.returncode:
        pytest.skip(f"npm does not fetch {AXE}: {fetched.stderr[:200]}")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


@pytest.fixture
def dashboard(chromium: Chromium, redis_url: str) -> Iterator[Dashboard]:
    """A server that nobody works for; a task waits, one was cancelled, a type is paused."""
    flags = ("--distributed", "--hourly-history", "on")
    with (
        serving(*flags, redis_url=redis_url) as server,
        dashboard_in(chromium, server.url) as shown,
    ):
        shown.submit("factorize", number=6)
        other = shown.submit("factorize", number=7)["id"]
        shown.answer("DELETE", f"tasks/{other}")
        shown.answer("POST", "types/factorization/pause")
        yield shown


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_nothing_is_in_the_way(dashboard: Dashboard, axe: str, width: int, theme: str) -> None:
    """Of people who see little, or listen, or have a keyboard alone."""
    task = dashboard.submit("factorize", number=6)["id"]
    dashboard.page.resize(width, 900)
    for place in ("#/", "#/tasks", "#/tasks?type=factorization&status=waiting", f"#/tasks/{task}"):
        dashboard.go(place)
        dashboard.page.run(f"document.documentElement.dataset.theme = '{theme}'")
        dashboard.page.wait_for("!content.hasAttribute('aria-busy')")
        dashboard.page.run(f"{axe}; 0")
        assert dashboard.page.run(RUN) == [], place
    for button, dialog in (("help", "#help"), ("cancel", "#confirm")):
        dashboard.click(f"[data-action={button}]")
        dashboard.page.wait_for(f"document.querySelector('{dialog}').open")
        assert dashboard.page.run(RUN) == [], dialog
        dashboard.page.press("Escape")
