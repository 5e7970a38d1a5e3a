"""How all programs log: one line per event on standard error, for people or as JSON."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from typing import Any

from doneyet.settings import Settings
from doneyet.task_types.error_text import MOST_TRACE, TaskNames, clean

TEXT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"


def set_up_logs(settings: Settings, *, beside_handlers: bool = False) -> None:
    """Logs from `settings.log_level` on, in `settings.log_format`.

    `beside_handlers`: to a file descriptor of our own, since a handler may close standard error.
    """
    logging.raiseExceptions = not beside_handlers  # there is nowhere to complain of a log's end
    stream = os.fdopen(os.dup(2), "w", errors="backslashreplace") if beside_handlers else None
    handler = logging.StreamHandler(stream)
    as_json = settings.log_format == "json"
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(TEXT))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])


def say(program: str, line: str, settings: Settings) -> None:
    """One line of a program that has no logs yet: `http_server: listens on ...`."""
    if settings.log_format == "json":
        record = logging.LogRecord(program, logging.INFO, "", 0, line, None, None)
        text = JsonFormatter().format(record)
    else:
        text = f"{program}: {line}"
    with contextlib.suppress(OSError):  # nobody can be told where the disk is full
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class JsonFormatter(logging.Formatter):
    """One JSON object per line, whatever an exception's text holds.

    Always there: `time` (RFC 3339, UTC, ms), `level`, `logger`, `pid`, `message`. Where the event
    is about tasks: `type` and `tasks`, up to eight ids; `exception` with an error's traceback; and
    what the call of the logger gave as `extra={"fields": {...}}`, such as durations in ms.
    """

    def format(self, record: logging.LogRecord) -> str:
        seconds, ms = divmod(int(record.created * 1000), 1000)
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{ms:03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": clean(record.getMessage()),
        }
        given = record.args if isinstance(record.args, tuple) else ()
        for names in given:
            if isinstance(names, TaskNames):
                line |= {"type": names.type, "tasks": [*names.tasks]}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = clean(self.formatException(record.exc_info))[-MOST_TRACE:]
        return json.dumps(line, ensure_ascii=False)
