"""PEZ, Algorithm 1 of "Hard Prompts Made Easy" (arXiv 2302.03668), over R restarts in one batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import InversionConfig
from ..objectives.match import Objective
from .draws import PictureDraws
from .projection import Projection
from .state import SearchState, begun, stepped, with_kept

BETAS = (0.9, 0.999)  # AdamW's defaults in torch, which the published code uses
EPSILON = 1e-8


@dataclass(frozen=True)
class PezState(SearchState):
    """D: token width.

    prompt: the continuous embeddings [R, L, D]; mean, square: AdamW's moments of their gradients.
    """

    prompt: Tensor
    mean: Tensor
    square: Tensor


class PezSearch:
    """Gradient descent on continuous embeddings, the gradient taken at the nearest tokens.

    Unlike the published code, one pass of the tower gives both the gradient and the score, restarts do
    not share a loss (so each runs as if alone), and only allowed tokens are projected to.
    """

    passes = 2

    def __init__(self, objective: Objective, config: InversionConfig, steps: int, generator: torch.Generator):
        self._objective = objective
        self._config = config
        self._steps = steps
        self._nearest = Projection(objective.embed(objective.allowed), objective.allowed, objective.widths)
        self._draws = PictureDraws(objective, config, steps, generator)

    def begin(self, ids: Tensor, similarity: Tensor | None = None, kept: Tensor | None = None) -> PezState:
        prompt = self._objective.embed(ids)
        return PezState(
            **begun(ids, similarity, kept, self._steps),
            prompt=prompt,
            mean=torch.zeros_like(prompt),
            square=torch.zeros_like(prompt),
        )

    @torch.no_grad()
    def step(self, state: PezState) -> PezState:
        ids = with_kept(self._nearest(state.prompt), state.kept)
        similarity, gradient = self._objective.score(ids, self._draws.at(state.count))
        prompt, mean, square = self._adamw(state, -gradient)
        return PezState(**stepped(state, ids, similarity), prompt=prompt, mean=mean, square=square)

    def _adamw(self, state: PezState, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The continuous prompt after a step of torch's AdamW, with its moments."""
        rate, decay = self._config.learning_rate, self._config.weight_decay
        count = (state.count + 1).float()
        mean = torch.lerp(state.mean, gradient, 1 - BETAS[0])
        square = torch.lerp(state.square, gradient.square(), 1 - BETAS[1])
        scale = (square / (1 - BETAS[1] ** count)).sqrt() + EPSILON
        prompt = state.prompt * (1 - rate * decay) - rate / (1 - BETAS[0] ** count) * mean / scale
        return prompt, mean, square
