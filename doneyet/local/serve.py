"""Keeps the system up until it is told to stop."""

from __future__ import annotations

import dataclasses
import json
import shlex
import time
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

from doneyet.local.console import say
from doneyet.local.system import System
from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings
from doneyet.task_types import TaskType, TaskTypeError, load_registry
from doneyet.task_types.modules import DISTRIBUTIONS
from doneyet.task_types.registry import ENTRY_POINT_GROUP, EXAMPLES

CHECK_EVERY_S = 0.5

WELCOME = """\
doneyet is up at {url}  (dashboard: {url}/dashboard, API reference: {url}/docs)

  curl -s {url}{endpoint} -H 'Content-Type: application/json' -H 'Prefer: wait=20' -d {body}
  {command} --url {url} {name} {body}

Ctrl-C stops it.
"""

PLACEHOLDERS: dict[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "array": []}
"""What stands for a required field that the type gives no example of, by its JSON type."""


def serve(settings: Settings, *, own_redis: bool, command: str) -> int:
    """Runs the system until Ctrl-C, or until a part of it ends.

    Args:
        settings: of both programs.
        own_redis: whether a Redis is started for it.
        command: how a user asks on the command line.

    Returns:
        The exit code; 2 where what is to be served cannot be.
    """
    try:
        settings = with_examples(settings)
        types = load_registry(settings).types
    except (TaskTypeError, SettingError) as error:
        say(str(error))
        return 2
    system = System(
        queue_mode=settings.queue_mode,
        port=settings.port,
        processes=str(settings.processes),
        redis_url=None if own_redis else settings.redis_url,
        settings={
            env_name(row.name): str(getattr(settings, row.name))
            for row in dataclasses.fields(Settings)
        },
        show_logs=True,
        grace_s=settings.grace_s,
    )
    with system:
        say(welcome(system.url, next(iter(types.values())), command))
        try:
            while True:
                system.check()
                time.sleep(CHECK_EVERY_S)
        except KeyboardInterrupt:
            say("\nStopping ...")
    return 0


def with_examples(settings: Settings) -> Settings:
    """`settings`, naming the built-in examples that this machine can run where they name nothing.

    Raises:
        TaskTypeError: there is nothing to serve.
    """
    missing = {name: package for name, package in EXAMPLES.items() if find_spec(package) is None}
    if settings.tasks or settings.models or not missing:
        return settings
    for name, package in missing.items():
        say(f"{name} is not served; it needs: pip install {DISTRIBUTIONS.get(package, package)}")
    names = [name for name in EXAMPLES if name not in missing]
    names += [point.name for point in entry_points(group=ENTRY_POINT_GROUP)]
    if not names:
        raise TaskTypeError("nothing to serve; name a file, as in: doneyet serve iris.py")
    return dataclasses.replace(settings, tasks=",".join(names))


def welcome(url: str, kind: TaskType, command: str) -> str:
    """What to do now: two ways to ask the type `kind`."""
    body = shlex.quote(json.dumps(kind.example or _made_up(kind)))
    name = kind.endpoint.removeprefix("/")
    return WELCOME.format(url=url, endpoint=kind.endpoint, body=body, name=name, command=command)


def _made_up(kind: TaskType) -> dict[str, Any]:
    """An input with the fields that `kind` requires; of the right JSON types, at least."""
    schema = kind.Input.model_json_schema()
    fields = {name: schema["properties"][name] for name in schema.get("required", [])}
    return {
        name: field["examples"][0]
        if field.get("examples")
        else PLACEHOLDERS.get(field.get("type", ""), "...")
        for name, field in fields.items()
    }
