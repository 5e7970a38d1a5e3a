"""Names of owners: who holds a claim."""

from __future__ import annotations

import re
import secrets
import socket

MOST_OF_HOST = 63
"""Characters of a host's name: as many as Kubernetes lets the name of a pod have there."""


def new_owner(pid: int) -> str:
    """A name for the worker process `pid` that no process ever had: `host-pid-random`.

    The random part makes it unique for ever; host and pid are for people who read logs.
    """
    return f"{host()}-{pid}-{secrets.token_hex(6)}"


def host() -> str:
    """This machine's name, or container's or pod's, as the names of its owners begin."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:MOST_OF_HOST] or "host"


def owner_of_run(worker: str) -> str:
    """A name for one run of a worker that has a name, so that the run's lease is its own."""
    return f"{worker}.{secrets.token_hex(4)}"


def is_run_of(owner: str, worker: str) -> bool:
    """Whether `owner` is a run of that worker."""
    return owner.startswith(f"{worker}.")
