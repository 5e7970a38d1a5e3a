"""`python -m http_server`: the server that tasks are asked at."""

from __future__ import annotations

import dataclasses
import os
import sys

from http_server.server import PortTakenError, check_port, make_server
from settings import SettingError, Settings
from task_manager import open_task_manager
from tasks import TaskTypeError, load_registry


def main() -> None:
    """Checks what can be checked, then serves until SIGTERM or SIGINT."""
    settings = Settings.from_command_line("http_server", description="Answers questions over HTTP.")
    try:
        registry = load_registry(settings)
        if settings.discipline in ("random", "distributed"):
            open_task_manager(settings, registry.types).close()
        settings = dataclasses.replace(settings, port=check_port(settings.host, settings.port))
    except (TaskTypeError, SettingError, PortTakenError) as error:
        sys.exit(f"http_server: {error}")
    _hand_down(settings)
    place = (
        "no Redis" if settings.discipline == "synchronous" else f"Redis at {settings.redis_place}"
    )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(
        f"http_server: http://{host}:{settings.port} ({settings.discipline} discipline, {place})",
        file=sys.stderr,
        flush=True,
    )
    make_server(settings).serve()


def _hand_down(settings: Settings) -> None:
    """Puts the settings, and nothing else of ours, into the server process' environment."""
    for name in [name for name in os.environ if name.startswith("DONEYET_")]:
        del os.environ[name]
    os.environ.update(settings.to_environment())


if __name__ == "__main__":
    main()
