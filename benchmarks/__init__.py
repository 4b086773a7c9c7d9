"""Measurements: they print tables and never assert times."""
