"""Hostile files and graphs: `python -m tests.fuzz --seconds 120`. Each case is read, or refused in one line."""
