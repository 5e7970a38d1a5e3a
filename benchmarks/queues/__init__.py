"""Filling doneyet's queues with tasks, and watching them drain."""
