"""OpenTelemetry, where `DONEYET_TRACING` is on: spans of requests and of batches, sent by OTLP.

Where to, how many, and what they are called besides is told by OpenTelemetry's own variables, such
as `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER` and `OTEL_SERVICE_NAME`.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

SCOPE = "doneyet"
NEEDED = (
    "opentelemetry.sdk.trace.export",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)
FLUSH_S = 2.0
"""How long the end of a program may wait for the last spans to be sent."""


class Tracing:
    """Makes spans; what is made is sent from a thread of its own.

    Args:
        settings: say whether there is any.
        service: what this program is called, unless `OTEL_SERVICE_NAME` says otherwise.

    Raises:
        SettingError: as `check_tracing`.
    """

    def __init__(self, settings: Settings, service: str) -> None:
        check_tracing(settings)
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        name = os.environ.get("OTEL_SERVICE_NAME") or service
        self.provider: TracerProvider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: name}),
            shutdown_on_exit=False,  # it would wait for a collector that is away
        )
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer: Tracer = self.provider.get_tracer(SCOPE)

    def close(self) -> None:
        """Sends what is left, as far as that goes within `FLUSH_S`."""
        self.provider.force_flush(int(FLUSH_S * 1000))


def check_tracing(settings: Settings) -> None:
    """Does nothing where there is what the settings want; for the start of a program.

    Raises:
        SettingError: the packages for it are not installed.
    """
    if settings.tracing != "on":
        return
    for module in NEEDED:
        try:
            import_module(module)
        except ImportError as error:
            raise SettingError(
                f"{env_name('tracing')} is on, but {error.name} is not installed; "
                'pip install "doneyet[tracing]"'
            ) from error


def open_tracing(settings: Settings, service: str) -> Tracing | None:
    """None where the settings want no spans.

    Raises:
        SettingError: as `Tracing`.
    """
    return Tracing(settings, service) if settings.tracing == "on" else None
