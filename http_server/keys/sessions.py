"""Logins to the dashboard: what a browser shows in the place of a key.

A cookie holds 32 random bytes. Their hash leads to the hash of the key that was shown, in what all
servers share, and the key is looked up by that for each request. Thus a login

- works at every server, and survives a restart;
- ends when its key is removed, within the second in which the key does;
- ends by logging out, wherever the cookie was copied to, and after `SESSION_S`;
- tells nobody a key: whoever reads the cookie has a login, not what other programs use. Whoever
  reads Redis or the key file has hashes, of which no cookie can be made.

A signed cookie would need a secret that all servers have. They share no file but that of the keys,
which may be read by others since it has hashes alone, so nothing in it can sign.
"""

from __future__ import annotations

import secrets

from http_server.keys.key_file import Key, sha256_of
from http_server.keys.key_ring import KeyRing
from http_server.keys.session_cookie import SessionCookie
from task_manager.shared_values import SharedValues

SESSION_S = 12 * 3600.0
"""After so long one logs in again; browsers may keep a session's cookie over restarts."""

_RANDOM_BYTES = 32


class Sessions:
    """Who is logged in.

    Every method raises `UnavailableError` while what servers share is away.

    Attributes:
        cookie: in which browsers show a login's token.
    """

    def __init__(self, ring: KeyRing, values: SharedValues, cookie: SessionCookie) -> None:
        self._ring, self._values, self.cookie = ring, values, cookie

    def open(self, key: Key) -> str:
        """The token of a new login with `key`."""
        token = secrets.token_urlsafe(_RANDOM_BYTES)
        self._values.put(_name(token), key.sha256, SESSION_S)
        return token

    def find(self, token: str) -> Key | None:
        """The key of a login; None where it is none, or none any more."""
        sha256 = self._values.get(_name(token))
        return None if sha256 is None else self._ring.find_hash(sha256)

    def close(self, token: str) -> None:
        """Ends a login."""
        self._values.drop(_name(token))


def _name(token: str) -> str:
    """Where a login is kept: by the token's hash, so that whoever reads Redis cannot use it."""
    return f"session-{sha256_of(token)}"
