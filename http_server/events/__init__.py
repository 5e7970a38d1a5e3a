"""Server-sent events of a task, and who looks how it is."""
