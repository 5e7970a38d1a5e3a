"""In the place of OpenTelemetry, in programs that tests start and that are not to have it."""
