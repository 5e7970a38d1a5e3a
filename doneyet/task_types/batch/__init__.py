"""File-to-file jobs: a file of inputs in, a file of answers out."""
