"""Fast random choices from one numpy generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Dice:
    """Draws single numbers from blocks, because a call of numpy's generator costs more than a whole caption may."""

    def __init__(self, rng: np.random.Generator, block: int = 64):
        self._rng, self._block = rng, block
        self._left: list[float] = []

    @classmethod
    def of(cls, rng: np.random.Generator | Dice) -> Dice:
        return rng if isinstance(rng, Dice) else cls(rng)

    def number(self) -> float:
        """Uniform in [0, 1)."""
        if not self._left:
            self._left = self._rng.random(self._block).tolist()
        return self._left.pop()

    def chance(self, share: float) -> bool:
        return self.number() < share

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.number()

    def whole(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return low + int((high - low + 1) * self.number())

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(len(choices) * self.number())]

    def shuffled(self, choices: Sequence[T]) -> list[T]:
        return sorted(choices, key=lambda _: self.number())
