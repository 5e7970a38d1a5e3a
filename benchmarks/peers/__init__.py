"""How each peer is filled and started: `catalog` lists them; each other file runs in its own
environment and offers `enqueue(count)`."""
