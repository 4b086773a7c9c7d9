"""Searches: each moves R restarts at once, one step at a time, by pure functions of tensors."""

from .pez import PezSearch, PezState

__all__ = ["PezSearch", "PezState"]
