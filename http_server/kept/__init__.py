"""Kept tasks: what a request wishes, and the thread that polls for clients that left."""
