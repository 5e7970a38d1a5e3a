"""How models are loaded, and what they are given to compute."""
