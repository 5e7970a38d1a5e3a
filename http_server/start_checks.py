"""What a server looks at before it starts, so that a wrong setting is one line and no traceback."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from doneyet.settings import Settings
from doneyet.task_types import Registry
from doneyet.tracing import check_tracing
from http_server.keys.start_check import check_keys
from http_server.metrics.names import metric_prefix
from http_server.middleware.access import Access
from http_server.middleware.client_address import ClientAddress
from http_server.middleware.root_path import check_root_path
from http_server.routes.endpoints import submit_paths
from http_server.webhooks.signing import secrets_from
from http_server.wire.asker import asker_from
from task_manager.split_queues import check_split_types


def start_checks(settings: Settings, registry: Registry) -> Sequence[Callable[[], object]]:
    """Each raises `SettingError` where there is something that it does not let pass."""
    return (
        lambda: check_root_path(settings, submit_paths(registry, settings)),
        lambda: Access(settings),
        lambda: check_keys(settings),
        lambda: metric_prefix(settings),
        lambda: ClientAddress(settings),
        lambda: asker_from(settings),
        lambda: secrets_from(settings),
        lambda: check_tracing(settings),
        lambda: check_split_types(settings, registry.types),
    )
