"""Searches: each moves N restarts at once, one step at a time, by pure functions of tensors."""

from .methods import METHODS, Method, Stage
from .starts import best_tokens, starts
from .state import Search, SearchState
from .stepping import Stepper, make_stepper

__all__ = ["METHODS", "Method", "Search", "SearchState", "Stage", "Stepper", "best_tokens", "make_stepper", "starts"]
