"""The run around a search."""
