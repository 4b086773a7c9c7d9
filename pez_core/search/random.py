"""The floor: prompts drawn at random, the best kept."""

from __future__ import annotations

import torch
from torch import Tensor

from ..config import InversionConfig
from ..objectives.match import Objective
from .state import SearchState, begun, stepped, with_kept


class RandomSearch:
    """In each step another random prompt of allowed tokens."""

    passes = 1

    def __init__(self, objective: Objective, config: InversionConfig, steps: int, generator: torch.Generator):
        self._objective = objective
        self._steps = steps
        shape = (steps, config.restarts, config.length)
        self._drawn = torch.randint(len(objective.allowed), shape, generator=generator).to(objective.allowed.device)

    def begin(self, ids: Tensor, similarity: Tensor | None = None, kept: Tensor | None = None) -> SearchState:
        return SearchState(**begun(ids, similarity, kept, self._steps))

    @torch.no_grad()
    def step(self, state: SearchState) -> SearchState:
        ids = self._objective.allowed[self._drawn.index_select(0, state.count.view(1))[0, : len(state.best_ids)]]
        ids = with_kept(ids, state.kept)
        return SearchState(**stepped(state, ids, self._objective.similarity(ids)))
