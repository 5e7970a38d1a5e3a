"""The peers' environments, and what is pinned in them."""
