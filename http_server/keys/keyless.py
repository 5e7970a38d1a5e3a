"""The dashboard's page and its files: they are the same for everybody, and tell nothing of tasks.

So they need no key, and a browser can show the form that asks for one. Unlike health routes they
are limited, and refused to pages of other sites.
"""

from __future__ import annotations

DASHBOARD = "/dashboard"
SESSION = f"{DASHBOARD}/session"
"""Whether the visitor is logged in, and as whom."""

DASHBOARD_FILES = (
    "dashboard.css",
    "main.js",
    "actions.js",
    "api.js",
    "charts.js",
    "dialogs.js",
    "dom.js",
    "failures.js",
    "format.js",
    "json.js",
    "login.js",
    "overview.js",
    "refresh.js",
    "run_again.js",
    "task.js",
    "tasks.js",
    "theme.js",
    "workers.js",
)
"""All files that the page loads, from `http_server/static/dashboard`."""

KEYLESS = frozenset({DASHBOARD, SESSION, *(f"{DASHBOARD}/{name}" for name in DASHBOARD_FILES)})
"""Paths that need no key where there are keys."""
