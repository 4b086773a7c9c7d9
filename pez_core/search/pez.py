"""PEZ, Algorithm 1 of "Hard Prompts Made Easy" (arXiv 2302.03668), over N restarts in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..objectives.protocol import Objective
from .descent import Descent
from .state import SearchState, Settings, first_fields, next_fields, with_kept

BETAS = (0.9, 0.999)  # AdamW's defaults in torch, which the published code uses
EPSILON = 1e-8


@dataclass(frozen=True)
class PezState(SearchState):
    """D: token width.

    prompt: the continuous embeddings [N, L, D]; mean, square: AdamW's moments of their gradients.
    """

    prompt: Tensor
    mean: Tensor
    square: Tensor


class PezSearch(Descent):
    """Gradient descent on continuous embeddings, the gradient taken at the nearest tokens.

    Unlike the published code, one pass of the tower computes both the gradient and the value, restarts do
    not share a loss (so each runs as if alone), and embeddings are projected only to allowed tokens.
    """

    LEARNING_RATE = 0.1  # as published

    def __init__(
        self, objective: Objective, settings: Settings, steps: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__(objective, settings, steps, generators)
        self._decay = settings.weight_decay

    def begin(self, ids: Tensor, value: Tensor | None = None, kept: Tensor | None = None) -> PezState:
        """See `Search`."""
        prompt = self._objective.space.embed(ids)
        return PezState(
            **first_fields(self._objective, ids, value, kept, self._steps),
            prompt=prompt,
            mean=torch.zeros_like(prompt),
            square=torch.zeros_like(prompt),
        )

    @torch.no_grad()
    def step(self, state: PezState) -> PezState:
        """See `Search`."""
        ids = with_kept(self._nearest(state.prompt), state.kept)
        value, gradient = self._objective.value_and_gradient(ids, state.problem, self._draws.at(state.count))
        prompt, mean, square = self._adamw(state, -gradient)
        return PezState(**next_fields(state, ids, value), prompt=prompt, mean=mean, square=square)

    def _adamw(self, state: PezState, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The continuous prompt after a step of torch's AdamW, with its moments."""
        count = (state.count + 1)[state.problem].float()[:, None, None]
        mean = torch.lerp(state.mean, gradient, 1 - BETAS[0])
        square = torch.lerp(state.square, gradient.square(), 1 - BETAS[1])
        scale = (square / (1 - BETAS[1] ** count)).sqrt() + EPSILON
        prompt = state.prompt * (1 - self._rate * self._decay) - self._rate / (1 - BETAS[0] ** count) * mean / scale
        return prompt, mean, square
