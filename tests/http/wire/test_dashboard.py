"""The dashboard's page as it is served; what it does is in tests/browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from http_server.keys.keyless import DASHBOARD, DASHBOARD_FILES

FOLDER = Path(__file__).parents[3] / "http_server" / "static" / "dashboard"
PATHS = [DASHBOARD, *(f"{DASHBOARD}/{name}" for name in DASHBOARD_FILES)]


@pytest.mark.parametrize("path", PATHS)
def test_headers(client: FlaskClient, path: str) -> None:
    """Nothing but the page's own files can be a script or a style, and no site can frame it."""
    with client.get(path) as reply:
        assert reply.status_code == 200
        policy = reply.headers["Content-Security-Policy"]
    for part in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ):
        assert part in policy.split("; ")
    assert "unsafe" not in policy
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_page_has_nothing_inline(client: FlaskClient) -> None:
    """Neither a script, nor a style, nor a handler; all it loads is there by a relative name."""
    page = client.get(DASHBOARD).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", page)
    links = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert "dashboard/main.js" in links
    for link in links:
        assert not link.startswith("/"), f"{link} would lose a path prefix"
        if not link.startswith("data:"):
            with client.get(f"/{link}") as reply:
                assert reply.status_code == 200, link


def test_the_table_of_files_is_complete() -> None:
    """Each is served, each is there, and no script imports another."""
    assert {path.name for path in FOLDER.iterdir()} == {*DASHBOARD_FILES, "dashboard.html"}
    for path in FOLDER.glob("*.js"):
        for name in re.findall(r'(?:from|import) "\./([\w.]+)"', path.read_text()):
            assert name in DASHBOARD_FILES, path


def test_no_script_makes_markup_of_texts() -> None:
    """What tasks say comes to the page as text alone."""
    for path in FOLDER.glob("*.js"):
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_files_of_two_versions_never_mix(client: FlaskClient) -> None:
    """A browser asks each time whether they changed, which costs it no bytes."""
    with client.get("/dashboard/main.js") as first:
        assert "no-cache" in first.headers["Cache-Control"]
        assert first.content_type.startswith("text/javascript")
    headers = {"If-None-Match": first.headers["ETag"]}
    with client.get("/dashboard/main.js", headers=headers) as again:
        assert (again.status_code, again.data) == (304, b"")


def test_nothing_else_is_served(client: FlaskClient) -> None:
    """Of the folder, and of those around it."""
    for path in ("dashboard.html", "../docs.js", "%2e%2e/docs.js", "", "/main.js"):
        assert client.get(f"/dashboard/{path}").status_code == 404, path
