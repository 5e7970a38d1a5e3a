"""Engines that work on vectors of sentences."""
