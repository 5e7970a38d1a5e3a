"""A Redis that refuses, falls silent or is odd."""
