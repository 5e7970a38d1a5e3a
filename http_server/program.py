"""The HTTP server from its start to its end."""

from __future__ import annotations

import dataclasses
import os
from functools import partial

from doneyet.cycle_search import no_cycle_search
from doneyet.logs import say
from doneyet.service_links import service_links
from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import Registry, TaskTypeError, load_registry
from http_server.manager_factory import open_manager
from http_server.serving.server import (
    SAFE_PATH,
    PortTakenError,
    check_port,
    load_application,
    make_server,
)
from http_server.start_checks import start_checks
from task_manager.errors import MisconfiguredError, UnavailableError


def run(settings: Settings) -> int:
    """Checks what can be checked, then serves until SIGTERM or SIGINT; the exit code, 2
    where a setting or a task type is wrong."""
    if settings.log_level == "debug":
        say(
            "http_server",
            f"set by Kubernetes for a Service, and ignored: {service_links()}",
            settings,
        )
    try:
        with no_cycle_search():
            registry = load_registry(settings)
            for look in start_checks(settings, registry):
                look()
            settings = dataclasses.replace(settings, port=check_port(settings.host, settings.port))
            is_away = settings.queue_mode != "synchronous" and _is_away(settings, registry)
    except (TaskTypeError, SettingError) as error:
        _say(settings, str(error))
        return 2
    except (PortTakenError, MisconfiguredError) as error:
        _say(settings, str(error))
        return 1
    _say_where(settings)
    _hand_down(settings)
    load = partial(load_application, redis_was_away=is_away)
    make_server(settings).serve(target_loader=load, wrap_loader=False)
    return 0


def _is_away(settings: Settings, registry: Registry) -> bool:
    """Whether Redis is away, or refuses for now, and may come later; one that will never do is
    refused."""
    manager = open_manager(settings, registry)
    try:
        manager.check()
    except MisconfiguredError:
        raise
    except UnavailableError as error:
        _say(settings, f"{error}; serving without it until it comes")
        return True
    else:
        return False
    finally:
        manager.close()


def _say_where(settings: Settings) -> None:
    synchronous = settings.queue_mode == "synchronous"
    place = "no Redis" if synchronous else f"Redis at {settings.redis_place}"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    _say(settings, f"http://{host}:{settings.port} ({settings.queue_mode} queue mode, {place})")


def _say(settings: Settings, line: str) -> None:
    say("http_server", line, settings)


def _hand_down(settings: Settings) -> None:
    """Puts the settings, and nothing else of ours, into the server process' environment."""
    for name in [name for name in os.environ if name.startswith("DONEYET_")]:
        del os.environ[name]
    os.environ.update({**settings.to_environment(), SAFE_PATH: "1"})
