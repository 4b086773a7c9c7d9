"""Descents that forget the continuous prompt: each step starts from tokens and ends at tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import InversionConfig
from ..objectives.match import Objective
from .draws import PictureDraws
from .projection import Projection
from .state import SearchState, begun, stepped, with_kept

BETAS = (1.0, 1e-4)  # FluentPrompt's temperature, from and to, geometrically
NOISES = 64  # draws of noise; they repeat after so many steps


@dataclass(frozen=True)
class TokenState(SearchState):
    """ids [R, L]: where the search stands."""

    ids: Tensor


class AutoPromptSgdSearch:
    """Gradient descent, projected to tokens after each step: P <- Proj(P - lr g), the gradient taken at P."""

    passes = 2

    def __init__(self, objective: Objective, config: InversionConfig, steps: int, generator: torch.Generator):
        self._objective = objective
        self._rate = config.learning_rate
        self._steps = steps
        self._nearest = Projection(objective.embed(objective.allowed), objective.allowed, objective.widths)
        self._draws = PictureDraws(objective, config, steps, generator)

    def begin(self, ids: Tensor, similarity: Tensor | None = None, kept: Tensor | None = None) -> TokenState:
        return TokenState(**begun(ids, similarity, kept, self._steps), ids=ids.clone())

    @torch.no_grad()
    def step(self, state: TokenState) -> TokenState:
        similarity, gradient = self._objective.score(state.ids, self._draws.at(state.count))
        moved = self._objective.embed(state.ids) + self._rate * gradient + self._noise(state.count, gradient)
        return TokenState(**stepped(state, state.ids, similarity), ids=with_kept(self._nearest(moved), state.kept))

    def _noise(self, count: Tensor, like: Tensor) -> Tensor | float:
        return 0.0


class FluentPromptSearch(AutoPromptSgdSearch):
    """Langevin dynamics (arXiv 2212.10539): P <- Proj(P - lr g + sqrt(2 lr beta) z), z ~ N(0, 1)."""

    def __init__(self, objective: Objective, config: InversionConfig, steps: int, generator: torch.Generator):
        super().__init__(objective, config, steps, generator)
        shape = (min(steps, NOISES), config.restarts, config.length, sum(objective.widths))
        self._drawn = torch.randn(shape, generator=generator).to(objective.allowed.device)
        first, last = BETAS
        betas = first * (last / first) ** torch.linspace(0, 1, steps)
        self._sizes = (2 * config.learning_rate * betas).sqrt().to(objective.allowed.device)

    def _noise(self, count: Tensor, like: Tensor) -> Tensor:
        drawn = self._drawn.index_select(0, (count % len(self._drawn)).view(1))[0]
        return self._sizes.index_select(0, count.view(1)) * drawn[: len(like)]
