"""Multivariate and polynomial regression by least squares."""
