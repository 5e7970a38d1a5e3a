"""Lua scripts: what they are made of, what they are told, and how they run."""
