"""The queue modes on Redis: what each has of its own."""
