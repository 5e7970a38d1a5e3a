"""Figures, their budgets, and the document that they are written to."""
