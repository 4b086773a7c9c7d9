"""The stages of a run: which search, with how many restarts, for how many steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..config import InversionConfig
from ..objectives.match import Objective
from .pez import PezSearch
from .projected import AutoPromptSgdSearch, FluentPromptSearch
from .random import RandomSearch
from .state import Search
from .swaps import AutoPromptSearch, SwapSearch

SEARCHES: dict[str, Callable[[Objective, InversionConfig, int, torch.Generator], Search[Any]]] = {
    "pez": PezSearch,
    "swaps": SwapSearch,
    "autoprompt": AutoPromptSearch,
    "autoprompt-sgd": AutoPromptSgdSearch,
    "fluentprompt": FluentPromptSearch,
    "random": RandomSearch,
}


ENOUGH = 4  # restarts find tokens enough to swap among


@dataclass(frozen=True)
class Stage:
    """`search` is a key of SEARCHES; `restarts` are the best ones of the stage before. `among_found`: from here on
    only tokens are used that the best prompts of all restarts have."""

    search: str
    restarts: int
    steps: int
    among_found: bool = False


def plan(config: InversionConfig) -> list[Stage]:
    """The stages of the configuration's method.

    What is done in the first n steps does not depend on how many follow, so that more steps with the same
    seed never find less.
    """
    if config.method != "pez+swaps":
        return [Stage(config.method, config.restarts, config.steps)]
    stages = [Stage("pez", config.restarts, min(config.explore, config.steps))]
    left, restarts = config.steps - stages[0].steps, config.restarts
    while left:
        restarts = max(1, restarts // 2)
        narrow = len(stages) == 1 and config.swap_from == "found" and config.restarts >= ENOUGH
        stages.append(Stage("swaps", restarts, left if restarts == 1 else min(config.halving, left), narrow))
        left -= stages[-1].steps
    return stages
