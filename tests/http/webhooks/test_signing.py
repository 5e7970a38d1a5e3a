"""Signatures, and the secrets that make them."""

from __future__ import annotations

import base64

import pytest

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from http_server.webhooks.signing import secrets_from, signatures


def test_the_example_of_the_standard() -> None:
    """Secret, id, time, body and signature as in the libraries of Standard Webhooks."""
    secrets = secrets_from(Settings(webhook_secrets="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    signature = signatures(
        secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_secret_signs() -> None:
    """So that receivers that know either one accept it."""
    texts = ["whsec_" + base64.b64encode(bytes([n]) * 24).decode() for n in (1, 2)]
    both = secrets_from(Settings(webhook_secrets=" , ".join(texts)))
    each = [signatures([secret], "msg_a", 1, b"{}") for secret in both]
    assert signatures(both, "msg_a", 1, b"{}") == " ".join(each)
    assert len(set(each)) == 2
    assert secrets_from(Settings()) == ()


@pytest.mark.parametrize(
    "secret",
    [
        "hunter2hunter2",
        "whsec_hunter2!",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
    ],
)
def test_other_secrets_are_refused(secret: str) -> None:
    """Without showing them."""
    with pytest.raises(SettingError, match=r"secret 1 of DONEYET_WEBHOOK_SECRETS.*openssl") as it:
        secrets_from(Settings(webhook_secrets=secret))
    assert secret.removeprefix("whsec_") not in str(it.value)
    assert secret not in repr(Settings(webhook_secrets=secret))
