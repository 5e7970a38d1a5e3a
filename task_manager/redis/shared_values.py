"""Small values that servers share, in Redis."""

from __future__ import annotations

from task_manager.redis.connection import Connection
from task_manager.redis.keys import Keys


class RedisValues:
    """`SharedValues` on Redis: every server that uses it sees the same."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection, self._keys = connection, keys

    def put(self, name: str, text: str, ttl_s: float) -> None:
        with self._connection.client() as client:
            client.set(self._keys.shared(name), text, px=round(ttl_s * 1000))

    def get(self, name: str) -> str | None:
        with self._connection.client() as client:
            told = client.get(self._keys.shared(name))
            return told.decode() if isinstance(told, bytes) else None

    def drop(self, name: str) -> None:
        with self._connection.client() as client:
            client.delete(self._keys.shared(name))
