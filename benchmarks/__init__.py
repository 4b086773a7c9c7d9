"""Measurements: printed tables, never assertions on time."""
