"""One worker process: claims tasks, batches them, runs them, stores results."""
