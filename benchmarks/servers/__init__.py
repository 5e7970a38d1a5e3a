"""Servers to compare with, and how each program is started."""
