"""Chaos: clients of every kind ask while what serves them is killed, stopped, cut or refused."""
