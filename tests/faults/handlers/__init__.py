"""Handlers that misbehave."""
