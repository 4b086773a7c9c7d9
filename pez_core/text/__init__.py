"""Tokens and spelling, independent of any model."""
