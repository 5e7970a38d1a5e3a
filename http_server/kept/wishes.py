"""What a submit wishes for the time after it: `Prefer: keep`, `Webhook-URL`, `Webhook-Events`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from doneyet.setting_values import env_name
from doneyet.settings import Settings
from http_server.middleware.client_name import ClientOf
from http_server.webhooks.bodies import COMPLETED, EVENTS
from http_server.webhooks.signing import secrets_from
from http_server.webhooks.target import target_for
from http_server.wire import prefer
from http_server.wire.problem import Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Wish(NamedTuple):
    """How long the tasks of a request are kept, and who is told of them."""

    keep_s: float
    applied_s: float | None
    """What `Prefer: keep` got; None where it did not ask."""
    url: str
    """Empty: nobody is told."""
    events: tuple[str, ...]
    client: str = ""
    """Who wishes it."""


WishOf = Callable[["WSGIEnvironment"], Wish | None]


def wishes(settings: Settings, client_of: ClientOf, *, can_keep: bool) -> WishOf:
    """Tells what a request wishes; None: nothing.

    Args:
        settings: say what is allowed.
        client_of: tells who a request is from.
        can_keep: whether tasks are kept here at all.

    Raises:
        SettingError: a secret for webhooks is none.
    """
    most_s = settings.max_keep_s
    is_signed = bool(secrets_from(settings))

    def wish_of(environ: WSGIEnvironment) -> Wish | None:
        """Raises `Problem`: 400 where a header is not usable, 501 where it is not for here."""
        url = environ.get("HTTP_WEBHOOK_URL")
        preferred = environ.get("HTTP_PREFER")
        keep_s = None if preferred is None else prefer.keep_s(preferred, most_s)
        if url is None and not keep_s:
            return None
        if not can_keep:
            raise _not_in(settings.queue_mode)
        if url is None:
            return Wish(keep_s or 0.0, keep_s, "", (), client_of(environ))
        if not is_signed:
            raise _no_webhooks()
        target_for(url.strip(), settings)
        events = _events(environ.get("HTTP_WEBHOOK_EVENTS", ""))
        return Wish(keep_s or most_s, keep_s or None, url.strip(), events, client_of(environ))

    return wish_of


def _events(header: str) -> tuple[str, ...]:
    words = sorted({word.strip().lower() for word in header.split(",")} - {""})
    for word in words:
        if word not in EVENTS:
            known = ", ".join(EVENTS)
            detail = f"Webhook-Events may name {known}, separated by commas, not {word[:40]!r}"
            raise Problem(400, "bad-webhook", detail)
    return tuple(words) or (COMPLETED,)


def _not_in(queue_mode: str) -> Problem:
    detail = (
        f"Prefer: keep and Webhook-URL are for queue modes on Redis; this server is in the "
        f"{queue_mode} queue mode ({env_name('queue_mode')})"
    )
    return Problem(501, "cannot-keep", detail)


def _no_webhooks() -> Problem:
    detail = (
        f"this server has no secret to sign webhooks with: set {env_name('webhook_secrets')}, or "
        "poll instead of sending Webhook-URL"
    )
    return Problem(501, "no-webhooks", detail)
