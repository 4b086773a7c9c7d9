"""Random choices of a search, made beforehand on the CPU, so that every device has the same."""

from __future__ import annotations

import torch
from torch import Tensor

from ..config import InversionConfig
from ..objectives.match import Objective


class PictureDraws:
    """Which of the target's pictures give the gradient in each of S steps."""

    def __init__(self, objective: Objective, config: InversionConfig, steps: int, generator: torch.Generator):
        size, count = config.batch_size, objective.pictures
        self._order: Tensor | None = None  # [S, batch_size]
        if size is not None and size < count:
            order = torch.rand(steps, count, generator=generator).argsort(dim=1)
            self._order = order[:, :size].to(objective.allowed.device)

    def at(self, count: Tensor) -> Tensor | None:
        """Indices [batch_size] for the step after `count` [] others, or None where all pictures are used."""
        return None if self._order is None else self._order.index_select(0, count.view(1))[0]
