"""One attempt to deliver a webhook, what came of it, and when the next one is."""

from __future__ import annotations

import enum
import logging
import random
import time
from typing import NamedTuple

from doneyet.settings import Settings
from http_server.webhooks.connection import NotSentError, post
from http_server.webhooks.signing import secrets_from, signatures
from http_server.webhooks.target import target_for
from http_server.wire.problem import Problem

log = logging.getLogger(__name__)

ATTEMPT_S = 15.0
"""Time limit of one attempt, from the look-up of the name to the status of the response."""

RETRY_S = (5.0, 300.0, 1800.0, *(3600.0 * hours for hours in (2, 5, 10, 14, 20, 24)))
"""Pauses after failed attempts; after one more the delivery is given up."""

JITTER = 0.2
LONGEST_RETRY_AFTER_S = 86400.0

_GONE = 410


class Verdict(enum.StrEnum):
    """What came of an attempt, as it is counted."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GAVE_UP = "gave_up"


class Attempt(NamedTuple):
    """One attempt: what came of it, and for how long the receiver wants none."""

    verdict: Verdict
    pause_s: float = 0.0


class Deliverer:
    """Signs webhooks and sends them, as the settings say.

    Raises:
        SettingError: a secret is none.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secrets = secrets_from(settings)

    @property
    def signs(self) -> bool:
        """Whether there is a secret; without one nothing is to be sent."""
        return bool(self._secrets)

    def deliver(self, url: str, webhook_id: str, body: bytes) -> Attempt:
        """Makes one attempt; never raises."""
        try:
            target = target_for(url, self._settings)
        except Problem as problem:  # it was kept by a server with other settings
            log.warning("a webhook is not sent: %s", problem.detail)
            return Attempt(Verdict.FAILED)
        timestamp_s = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "doneyet",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": signatures(self._secrets, webhook_id, timestamp_s, body),
        }
        is_private = self._settings.webhook_private == "true"
        try:
            reply = post(target, body, headers, private=is_private, limit_s=ATTEMPT_S)
        except NotSentError as error:
            log.warning("webhook %s to %s failed: %s", webhook_id, target.place, error)
            return Attempt(Verdict.FAILED)
        if 200 <= reply.status < 300:
            log.debug("webhook %s to %s: %d", webhook_id, target.place, reply.status)
            return Attempt(Verdict.DELIVERED)
        log.warning("webhook %s to %s got %d", webhook_id, target.place, reply.status)
        if reply.status == _GONE:
            return Attempt(Verdict.GAVE_UP)
        return Attempt(Verdict.FAILED, _seconds(reply.retry_after))


def pause_s(failed: int, wanted_s: float = 0.0) -> float | None:
    """How long to wait after so many failed attempts: what the schedule says, or longer where the
    receiver wants that; None: it is over."""
    if failed > len(RETRY_S):
        return None
    spread_s = RETRY_S[failed - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return max(spread_s, wanted_s)


def _seconds(retry_after: str | None) -> float:
    """Of `Retry-After`, at most a day; dates are not read, and the schedule holds."""
    text = (retry_after or "").strip()
    if not (text.isascii() and text.isdecimal()):
        return 0.0
    return min(float(text[:9]), LONGEST_RETRY_AFTER_S)
