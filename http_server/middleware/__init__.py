"""WSGI layers before everything else: who may send requests, and how many."""
