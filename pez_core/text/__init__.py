"""Tokens and spelling; knows no model."""
