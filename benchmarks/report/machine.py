"""Where it was measured: processor, cores, memory, versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import redis

OURS = ("flask", "granian", "redis", "hiredis", "pydantic")


def machine(server: redis.Redis) -> dict[str, str]:
    """What a reader needs in order to compare: label → value."""
    info = server.info("server")
    name = "Valkey" if "valkey_version" in info else "Redis"
    return {
        "Processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores usable",
        "Memory": f"{_memory_gib():.0f} GiB",
        "System": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Server": f"{name} {info.get('valkey_version', info['redis_version'])}, "
        "one process, on loopback TCP, without persistence",
        "Libraries": ", ".join(f"{each} {version(each)}" for each in OURS),
    }


def busy() -> str:
    """How much else the machine does right now."""
    return f"{os.getloadavg()[0]:.2f} (average of the minute before)"


def _processor() -> str:
    return _first_value(_lines("/proc/cpuinfo"), "model name") or platform.processor() or "unknown"


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _first_value(lines: Iterable[str], key: str) -> str:
    """The value of the first `key : value` line."""
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""
