"""Signatures of Standard Webhooks 1.0: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings

SECRET_START = "whsec_"  # noqa: S105 - what each begins with
BYTES = range(24, 65)
MOST_SECRETS = 4


def secrets_from(settings: Settings) -> tuple[bytes, ...]:
    """The secrets that webhooks are signed with; while one replaces another, both.

    Raises:
        SettingError: one is none. Shows nothing of it.
    """
    texts = [text.strip() for text in settings.webhook_secrets.split(",") if text.strip()]
    if len(texts) > MOST_SECRETS:
        raise SettingError(f"{env_name('webhook_secrets')} may have at most {MOST_SECRETS} secrets")
    return tuple(_secret(text, number) for number, text in enumerate(texts, 1))


def signatures(secrets: Sequence[bytes], webhook_id: str, timestamp_s: int, body: bytes) -> str:
    """The header `webhook-signature`: one for each secret, of which any will do."""
    signed = f"{webhook_id}.{timestamp_s}.".encode() + body
    made = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in made)


def _secret(text: str, number: int) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_START), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.startswith(SECRET_START) or len(secret) not in BYTES:
        raise SettingError(
            f"secret {number} of {env_name('webhook_secrets')} must be {SECRET_START} and the "
            f"base64 of {BYTES[0]} to {BYTES[-1]} random bytes: "
            f'echo "{SECRET_START}$(openssl rand -base64 32)"'
        )
    return secret
