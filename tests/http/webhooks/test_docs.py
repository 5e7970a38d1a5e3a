"""What the documentation tells receivers to do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from doneyet.settings import Settings
from http_server.webhooks.signing import secrets_from, signatures
from tests.http.webhooks.receiver import is_verified

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "webhooks.md"


def test_the_program_verifies() -> None:
    """What we sign, also with two secrets; not what is old, changed, or signed by others. So
    says the library of the standard, too."""
    program = PAGE.read_text().split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(program, names)

    def is_genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
        is_so: bool = names["is_genuine"](secret, headers, body)
        assert is_verified(secret, headers, body) == is_so
        return is_so

    texts = [f"whsec_{letter * 32}" for letter in "abc"]
    secrets = secrets_from(Settings(webhook_secrets=",".join(texts[:2])))
    now_s, body = int(time.time()), b'{"a": 1}'
    headers = {
        "webhook-id": "msg_a",
        "webhook-timestamp": str(now_s),
        "webhook-signature": signatures(secrets, "msg_a", now_s, body),
    }
    assert [is_genuine(text, headers, body) for text in texts] == [True, True, False]
    assert not is_genuine(texts[0], headers, b'{"a": 2}')
    assert not is_genuine(texts[0], headers | {"webhook-id": "msg_b"}, body)
    old = signatures(secrets, "msg_a", now_s - 600, body)
    late = headers | {"webhook-timestamp": str(now_s - 600), "webhook-signature": old}
    assert not is_genuine(texts[0], late, body)
