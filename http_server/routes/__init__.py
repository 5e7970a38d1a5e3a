"""The routes, but for submitting."""
