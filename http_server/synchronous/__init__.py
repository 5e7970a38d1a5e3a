"""Running tasks without Redis and workers, in a process of the server's own."""
