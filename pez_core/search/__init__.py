"""Searches: each moves R restarts at once, one step at a time, by pure functions of tensors."""

from .pez import PezSearch, PezState
from .stepping import Stepper, make_stepper

__all__ = ["PezSearch", "PezState", "Stepper", "make_stepper"]
