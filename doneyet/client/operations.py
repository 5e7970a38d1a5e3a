"""What whoever is on duty asks a server: lists, counts, and what concerns tasks of all clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from doneyet.client.transport import Transport

MOST_LISTED = 200
"""Tasks that are listed in one request."""


class Operations:
    """The part of a client for those who run the service."""

    _transport: Transport

    def tasks(
        self,
        task_type: str | None = None,
        *,
        status: str | None = None,
        id_prefix: str | None = None,
    ) -> Iterator[Any]:
        """Tasks without inputs and answers, the newest first; fetched as they are looked at.

        Args:
            task_type: only of this type.
            status: only those that are waiting (then in the order of their turns), running, done,
                failed or cancelled.
            id_prefix: only those whose ids begin so; at least 4 characters.

        Raises:
            NotFoundError: there is no such type.
            ProblemError: a list of waiting tasks in a queue mode that has none.
        """
        asked = {"type": task_type, "status": status, "id": id_prefix, "limit": str(MOST_LISTED)}
        query = {name: value for name, value in asked.items() if value is not None}
        while True:
            told: Any = self._transport.send("GET", "tasks", query=query).body
            yield from told["tasks"]
            if told["next"] is None:
                return
            query["after"] = told["next"]

    def cancel_waiting(self, task_type: str) -> Any:
        """Cancels all tasks of a type that wait, for all clients: `{"cancelled": …, "left": …}`.

        Raises:
            NotFoundError: there is no such type.
            ProblemError: the queue mode cannot tell which wait.
        """
        query = {"type": task_type, "status": "waiting"}
        return self._transport.send("DELETE", "tasks", query=query).body

    def workers(self) -> Any:
        """Worker processes per type that they serve, and some of what they run."""
        told: Any = self._transport.send("GET", "workers").body
        return told["workers"]

    def history(self, minutes: int = 60, *, hours: int | None = None) -> Any:
        """What happened in each of the last minutes, up to 480, per type; or of the last hours, up
        to 720, where the server keeps them (DONEYET_HOURLY_HISTORY).

        Raises:
            ProblemError: it keeps no hours.
        """
        query = {"minutes": str(minutes)} if hours is None else {"hours": str(hours)}
        return self._transport.send("GET", "history", query=query).body

    def load(self, task_type: str | None = None) -> Any:
        """Waiting and running tasks, and workers: per type, or for one."""
        return self._transport.send("GET", f"load/{task_type}" if task_type else "load").body

    def pause(self, task_type: str) -> Any:
        """Has workers begin no task of a type, for all clients, until it is resumed; its load.

        Raises:
            NotFoundError: there is no such type.
        """
        return self._transport.send("POST", f"types/{task_type}/pause").body

    def resume(self, task_type: str) -> Any:
        """Has workers begin tasks of a type again; its load.

        Raises:
            NotFoundError: there is no such type.
        """
        return self._transport.send("POST", f"types/{task_type}/resume").body
