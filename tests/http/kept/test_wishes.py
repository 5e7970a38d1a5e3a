"""What submits may wish, and how they are refused: `Prefer: keep`, `Webhook-URL`."""

from __future__ import annotations

import dataclasses

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.kept.wishes import Wish, wishes
from http_server.openapi.document import document
from http_server.wire.problem import Problem
from tests.http.conftest import SETTINGS
from tests.http.fakes import FakeManager
from tests.http.webhooks.receiver import SECRET

KEEPING = Settings(max_keep_s=500, webhook_secrets=f"whsec_{SECRET}")
URL = "https://example.org/hook"


def wish(
    headers: dict[str, str], settings: Settings = KEEPING, *, can_keep: bool = True
) -> Wish | None:
    """What a request with these headers wishes."""
    environ = {f"HTTP_{name.upper()}": text for name, text in headers.items()}
    return wishes(settings, lambda _environ: "c", can_keep=can_keep)(environ)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"prefer": "wait=20"}, None),
        ({"prefer": "keep=0"}, None),
        ({"prefer": "keep=soon"}, None),
        ({"webhook_events": "started"}, None),
        ({"prefer": "keep=60"}, Wish(60, 60, "", (), "c")),
        ({"prefer": 'wait=5, keep="60"'}, Wish(60, 60, "", (), "c")),
        ({"prefer": "keep=99999999999999"}, Wish(500, 500, "", (), "c")),
        ({"webhook_url": URL}, Wish(500, None, URL, ("completed",), "c")),
        (
            {"webhook_url": f" {URL} ", "prefer": "keep=0"},
            Wish(500, None, URL, ("completed",), "c"),
        ),
        ({"webhook_url": URL, "prefer": "keep=60"}, Wish(60, 60, URL, ("completed",), "c")),
        (
            {"webhook_url": URL, "webhook_events": " Started,progress,, started"},
            Wish(500, None, URL, ("progress", "started"), "c"),
        ),
    ],
)
def test_wishes_are_read(headers: dict[str, str], expected: Wish | None) -> None:
    """Whatever else is preferred; what says nothing usable is no wish."""
    assert wish(headers) == expected


@pytest.mark.parametrize(
    ("headers", "settings", "can_keep", "status", "said"),
    [
        ({"webhook_url": URL}, Settings(), True, 501, "DONEYET_WEBHOOK_SECRETS"),
        ({"webhook_url": "http://example.org"}, KEEPING, True, 400, "DONEYET_WEBHOOK_HTTP"),
        ({"webhook_url": "https://10.0.0.1"}, KEEPING, True, 400, "DONEYET_WEBHOOK_PRIVATE"),
        ({"webhook_url": ""}, KEEPING, True, 400, "Webhook-URL must"),
        (
            {"webhook_url": URL, "webhook_events": "done"},
            *(KEEPING, True, 400, "completed, started, progress"),
        ),
        ({"webhook_url": URL}, KEEPING, False, 501, "queue mode"),
        (
            {"prefer": "keep=1"},
            *(Settings(queue_mode="synchronous"), False, 501, "synchronous queue mode"),
        ),
    ],
)
def test_other_wishes_are_refused(
    headers: dict[str, str], settings: Settings, can_keep: bool, status: int, said: str
) -> None:
    """With a problem that says what to do, or which setting decides."""
    with pytest.raises(Problem) as refused:
        wish(headers, settings, can_keep=can_keep)
    assert refused.value.status == status
    assert said in refused.value.detail


def test_a_server_that_keeps_nothing_refuses(client: FlaskClient) -> None:
    """As a problem, and nothing is submitted; without such a wish all is as ever."""
    for headers in ({"Prefer": "keep=60"}, {"Webhook-URL": URL}):
        reply = client.post("/factorize", json={"number": 6}, headers=headers)
        assert reply.status_code == 501
        assert reply.get_json()["type"] == "urn:doneyet:problem:cannot-keep"
    assert client.post("/factorize", json={"number": 6}).status_code == 202


def test_openapi_tells_of_webhooks_where_they_are_set_up(registry: Registry) -> None:
    """Elsewhere they would be refused."""
    for settings, is_told in ((KEEPING, True), (Settings(), False)):
        described = document(registry, settings)
        OpenAPIV31SpecValidator(described).validate()
        names = {each["name"] for each in described["paths"]["/factorize"]["post"]["parameters"]}
        assert ("Webhook-URL" in names) == is_told
        assert "Prefer" in names


def test_metrics_begin_at_nothing(registry: Registry) -> None:
    """So that the first failure of a server is an increase."""
    app = create_app(dataclasses.replace(SETTINGS), FakeManager(), registry)
    text = app.test_client().get("/metrics").text
    for outcome in ("delivered", "failed", "gave_up"):
        assert f'doneyet_webhook_deliveries_total{{outcome="{outcome}"}} 0.0' in text
    app.extensions["doneyet"].close()
