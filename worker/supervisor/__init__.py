"""The supervisor of worker processes: starts, watches, replaces and drains them."""
