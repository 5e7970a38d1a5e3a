"""Names of owners: who holds a claim."""

from __future__ import annotations

import re
import secrets
import socket


def new_owner(pid: int) -> str:
    """A name for the worker process `pid` that no process ever had: `host-pid-random`.

    The random part makes it unique for ever; host and pid are for people who read logs.
    """
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:40] or "host"
    return f"{host}-{pid}-{secrets.token_hex(6)}"


def owner_of_run(worker: str) -> str:
    """A name for one run of a worker that has a name, so that the run's lease is its own."""
    return f"{worker}.{secrets.token_hex(4)}"


def is_run_of(owner: str, worker: str) -> bool:
    """Whether `owner` is a run of that worker."""
    return owner.startswith(f"{worker}.")
