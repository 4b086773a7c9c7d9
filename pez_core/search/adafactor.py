"""PEZ with Adafactor in place of AdamW, as the paper's text-to-text experiment has it (arXiv 2302.03668, section 5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .descent import Descent
from .state import SearchState, first_fields, next_fields, with_kept

DECAY = -0.8  # the moments' decay is 1 - step ^ DECAY
EPSILON = 1e-30  # added to squared gradients
LARGEST = 1.0  # norm that gradients are clipped to, and root mean square of an update


@dataclass(frozen=True)
class AdafactorState(SearchState):
    """prompt: the continuous embeddings [N, L, D]; row [N, L], column [N, D]: the means of their squared gradients."""

    prompt: Tensor
    row: Tensor
    column: Tensor


class AdafactorPezSearch(Descent):
    """Gradient descent on continuous embeddings, the gradient taken at the nearest tokens (see `PezSearch`).

    Adafactor (arXiv 1804.04235, Algorithm 4) with a fixed rate: no momentum, second moments kept by row and column, updates
    clipped. Each restart has its own.
    """

    LEARNING_RATE = 0.3  # as published

    def begin(self, ids: Tensor, value: Tensor | None = None, kept: Tensor | None = None) -> AdafactorState:
        """See `Search`."""
        prompt = self._objective.space.embed(ids)
        return AdafactorState(
            **first_fields(self._objective, ids, value, kept, self._steps),
            prompt=prompt,
            row=torch.zeros_like(prompt[..., 0]),
            column=torch.zeros_like(prompt[:, 0]),
        )

    @torch.no_grad()
    def step(self, state: AdafactorState) -> AdafactorState:
        """See `Search`."""
        ids = with_kept(self._nearest(state.prompt), state.kept)
        value, gradient = self._objective.value_and_gradient(ids, state.problem, self._draws.at(state.count))
        length = gradient.flatten(1).norm(dim=1)[:, None, None]
        gradient = -gradient * (LARGEST / (length + 1e-6)).clamp(max=1)  # as torch clips norms
        square = gradient.square() + EPSILON
        decay = 1 - (state.count + 1)[state.problem].float()[:, None] ** DECAY
        row = torch.lerp(square.mean(-1), state.row, decay)
        column = torch.lerp(square.mean(-2), state.column, decay)
        scale = (row / row.mean(-1, keepdim=True)).rsqrt()[..., None] * column.rsqrt()[:, None]
        update = gradient * scale
        size = update.square().mean((1, 2), keepdim=True).sqrt()
        update = update / (size / LARGEST).clamp(min=1)
        return AdafactorState(
            **next_fields(state, ids, value), prompt=state.prompt - self._rate * update, row=row, column=column
        )
