"""Searches: each moves R restarts at once, one step at a time, by pure functions of tensors."""

from .plan import SEARCHES, Stage, plan
from .starts import starts
from .state import Search, SearchState
from .stepping import Stepper, make_stepper

__all__ = ["SEARCHES", "Search", "SearchState", "Stage", "Stepper", "make_stepper", "plan", "starts"]
