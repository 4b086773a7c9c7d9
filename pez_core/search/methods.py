"""The methods: the searches of each, with their restarts and steps.

Memory and passes of a method follow from the costs that its searches state. A new method needs a file and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .adafactor import AdafactorPezSearch
from .pez import PezSearch
from .projected import AutoPromptSgdSearch, FluentPromptSearch
from .random import RandomSearch
from .state import Cost, Search, Settings
from .swaps import AutoPromptSearch, SwapSearch

ENOUGH = 4  # fewest restarts whose tokens are enough to swap among


@dataclass(frozen=True)
class Stage:
    """A `search` from the best `restarts` of the stage before, for at most `steps` steps.

    narrow: from here on, only tokens in the best prompts of all restarts are used.
    """

    search: type[Search[Any]]
    restarts: int
    steps: int
    narrow: bool = False

    def cost(self, settings: Settings, tokens: int) -> Cost:
        """The cost of a step for each restart, if `tokens` tokens may be used."""
        return self.search.cost(settings, tokens)


@dataclass(frozen=True)
class Method:
    """stages: from settings to stages. The first n steps must not depend on how many follow, so that more steps with the
    same seed never score lower.

    settings: the names of the settings that this method reads and some others do not."""

    stages: Callable[[Settings], list[Stage]]
    settings: tuple[str, ...] = ()


def _only(search: type[Search[Any]], *settings: str) -> Method:
    return Method(lambda settings: [Stage(search, settings.restarts, settings.steps)], settings)


def _descent(settings: Settings) -> type[Search[Any]]:
    """PEZ with the chosen optimizer."""
    return AdafactorPezSearch if settings.optimizer == "adafactor" else PezSearch


def _pez(settings: Settings) -> list[Stage]:
    return [Stage(_descent(settings), settings.restarts, settings.steps)]


def _pez_then_swaps(settings: Settings) -> list[Stage]:
    """PEZ, then swaps on the better half of the restarts, and on half of those after every `halving` steps."""
    stages = [Stage(_descent(settings), settings.restarts, min(settings.explore, settings.steps))]
    left, restarts = settings.steps - stages[0].steps, settings.restarts
    while left:
        restarts = max(1, restarts // 2)
        narrow = len(stages) == 1 and settings.swap_from == "found" and settings.restarts >= ENOUGH
        steps = left if restarts == 1 else min(settings.halving, left)
        stages.append(Stage(SwapSearch, restarts, steps, narrow))
        left -= steps
    return stages


METHODS: dict[str, Method] = {
    "pez+swaps": Method(_pez_then_swaps, ("swap_from", "learning_rate", "weight_decay", "batch_size")),  # the default
    "pez": Method(_pez, ("learning_rate", "weight_decay", "batch_size")),  # as in the paper
    "swaps": _only(SwapSearch),
    "autoprompt": _only(AutoPromptSearch),
    "autoprompt-sgd": _only(AutoPromptSgdSearch, "learning_rate", "batch_size"),
    "fluentprompt": _only(FluentPromptSearch, "learning_rate", "batch_size"),
    "random": _only(RandomSearch),
}
