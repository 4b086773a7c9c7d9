"""What all gradient descents share: the rate, the projection, the parts of the target that a step uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from ..objectives.protocol import Objective
from .draws import PartDraws
from .projection import Projection
from .state import Cost, Settings


class Descent:
    """One gradient a step, then a projection to tokens. LEARNING_RATE: where the settings have none."""

    LEARNING_RATE: ClassVar[float]

    def __init__(
        self, objective: Objective, settings: Settings, steps: int, generators: Sequence[torch.Generator]
    ) -> None:
        self._objective = objective
        self._rate = settings.learning_rate or self.LEARNING_RATE
        self._steps = steps
        self._nearest = Projection(objective.space)
        self._draws = PartDraws(objective, settings.batch_size, steps, generators)

    @staticmethod
    def cost(settings: Settings, tokens: int) -> Cost:
        """See `Search`."""
        return Cost(gradients=1, values=0)

    def prepare(self, step: int) -> None:
        """See `Search`."""
        self._draws.prepare(step)

    def renew(self, problem: int, step: int) -> None:
        """See `Search`."""
        self._draws.renew(problem, step)
