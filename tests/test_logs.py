"""Logs as JSON: one object per line, of every program, and never an input."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from datetime import datetime
from typing import Any

import requests

from doneyet.local.managed_process import Part
from doneyet.local.system import System
from doneyet.logs import JsonFormatter
from doneyet.task_types.error_text import MOST_IDS, named
from tests.helpers import wait_until

SECRET = 408_216_408_216


def line_of(message: str, *args: object, **more: Any) -> dict[str, Any]:
    """What is written about one event."""
    record = logging.LogRecord("worker.x", logging.WARNING, "x.py", 1, message, args, None)
    vars(record).update(more)
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line: dict[str, Any] = json.loads(text)
    return line


def test_what_every_line_has() -> None:
    """When, how bad, who; a message of several lines is one line."""
    line = line_of("%s and\n%d", "this", 7)
    assert line.keys() == {"time", "level", "logger", "pid", "message"}
    assert (line["level"], line["logger"]) == ("warning", "worker.x")
    assert line["message"] == "this and\n7"
    assert abs(datetime.fromisoformat(line["time"]).timestamp() - time.time()) < 60


def test_lines_about_tasks() -> None:
    """Their type and first ids are fields; what looks like it in an error's message is not."""
    ids = [f"{number:02}" for number in range(20)]
    line = line_of("%s failed: %s", named("embedding/x", ids), "task=evil type=evil")
    assert (line["type"], line["tasks"]) == ("embedding/x", ids[:MOST_IDS])
    assert line["message"].endswith("type=embedding/x failed: task=evil type=evil")
    assert "type" not in line_of("%s", "task=evil type=evil")


def test_fields_of_an_event() -> None:
    """Such as durations, as numbers."""
    assert line_of("it ran", fields={"ms": 1.5, "owner": "o"})["ms"] == 1.5


def test_errors_and_odd_texts() -> None:
    """Tracebacks are one field; half a surrogate pair, which UTF-8 cannot carry, is replaced."""
    try:
        raise ValueError("odd \ud800 thing")
    except ValueError:
        line = line_of("it failed: \ud800", exc_info=sys.exc_info())
    assert line["exception"].endswith("ValueError: odd ? thing")
    assert line["message"] == "it failed: ?"


def whole_log(part: Part) -> str:
    """What a program has written so far."""
    assert part._log
    return os.pread(part._log.fileno(), 10_000_000, 0).decode()


def test_every_program_of_a_system() -> None:
    """All lines are JSON, from the first to the last; a request and a run have a line each."""
    settings = {
        "DONEYET_LOG_FORMAT": "json",
        "DONEYET_LOG_LEVEL": "debug",
        "DONEYET_ACCESS_LOG": "on",
    }
    with System(processes=1, settings=settings) as system:
        url = f"{system.url}/factorize?number={SECRET}"

        def is_done() -> bool:
            reply = requests.post(url, headers={"Prefer": "wait=5"}, timeout=10)
            return bool(reply.json()["done"])

        wait_until(is_done, description="it is done")
        requests.post(f"{system.url}/factorize", json={"number": "x"}, timeout=10)
        assert system.http_server
        assert system.worker
        logs = {
            name: [json.loads(text) for text in whole_log(part).splitlines()]
            for name, part in (("server", system.http_server), ("worker", system.worker))
        }
    assert any(line["message"].startswith(system.url) for line in logs["server"][:2])
    requests_told = [line for line in logs["server"] if "path" in line]
    asked = next(line for line in requests_told if line["path"] == "/factorize")
    assert asked["status"] in (200, 202)
    assert asked["method"] == "POST"
    assert asked["client"] == "127.0.0.1"
    assert asked["ms"] >= 0
    assert any(line["status"] == 422 for line in requests_told)
    (ran,) = [line for line in logs["worker"] if "done" in line]
    assert (ran["type"], ran["done"], ran["failed"]) == ("factorization", 1, 0)
    assert len(ran["tasks"]) == 1
    assert ran["owner"]
    assert str(SECRET) not in json.dumps(logs), "inputs are never logged"
