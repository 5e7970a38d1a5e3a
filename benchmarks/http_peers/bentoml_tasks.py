"""A task of BentoML: submitted at one path; its status and its result are at others.

It keeps tasks in a file of SQLite and runs them in the server's process.
"""

from __future__ import annotations

import bentoml


@bentoml.service(workers=1, traffic={"timeout": 60, "concurrency": 64})
class Noop:
    """One worker."""

    @bentoml.task
    def noop(self, number: int) -> int:
        """The number itself."""
        return number
