"""Submitting: from a request to the statuses of its tasks."""
