"""OpenTelemetry: what a collector hears."""
