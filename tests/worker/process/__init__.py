"""What a worker process claims, in which order, and in which batches."""
