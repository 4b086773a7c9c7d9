"""PEZ, Algorithm 1 of "Hard Prompts Made Easy" (arXiv 2302.03668), over R restarts in one batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import InversionConfig
from ..objective import Objective
from .projection import Projection

BETAS = (0.9, 0.999)  # AdamW's defaults in torch, which the published code uses
EPSILON = 1e-8


@dataclass(frozen=True)
class PezState:
    """Where R restarts stand. D: token width, L: searched tokens.

    prompt: the continuous embeddings [R, L, D]; mean, square: AdamW's moments of their gradients.
    count: steps taken, float32 [].
    best_similarity [R], best_ids [R, L]: the best prompt that each restart has met.
    """

    prompt: Tensor
    mean: Tensor
    square: Tensor
    count: Tensor
    best_similarity: Tensor
    best_ids: Tensor


class PezSearch:
    """Gradient descent on continuous embeddings, the gradient taken at the nearest tokens.

    Unlike the published code, one pass of the tower gives both the gradient and the score, restarts do
    not share a loss (so each runs as if alone), and only allowed tokens are projected to.
    """

    def __init__(self, objective: Objective, config: InversionConfig):
        self._objective = objective
        self._config = config
        self._nearest = Projection(objective.table, objective.allowed)

    def start(self, generator: torch.Generator) -> PezState:
        """Random allowed tokens, drawn on the CPU so that every device starts alike."""
        allowed = self._objective.allowed
        shape = (self._config.restarts, self._config.length)
        drawn = torch.randint(len(allowed), shape, generator=generator)
        return self.start_from(allowed[drawn.to(allowed.device)])

    def start_from(self, ids: Tensor) -> PezState:
        """The state before the first step, from token ids [R, L]."""
        prompt = self._objective.table[ids].detach().float().clone()
        return PezState(
            prompt=prompt,
            mean=torch.zeros_like(prompt),
            square=torch.zeros_like(prompt),
            count=torch.zeros((), device=prompt.device),
            best_similarity=torch.full((len(ids),), -torch.inf, device=prompt.device),
            best_ids=ids.clone(),
        )

    def step(self, state: PezState, drawn: Tensor | None = None) -> PezState:
        """One step. `drawn`: indices [b] of the target's pictures that give the gradient; None for all."""
        objective = self._objective
        ids = self._nearest(state.prompt)
        projected = objective.table[ids].detach().float().requires_grad_()
        features = objective.features(projected, ids)
        (gradient,) = torch.autograd.grad(-objective.similarity(features, drawn).sum(), projected)
        with torch.no_grad():
            similarity = objective.similarity(features)
            banned = objective.banned(ids)
            if banned is not None:
                similarity = similarity.masked_fill(banned, -torch.inf)
            better = similarity > state.best_similarity
            prompt, mean, square, count = self._adamw(state, gradient)
            return PezState(
                prompt=prompt,
                mean=mean,
                square=square,
                count=count,
                best_similarity=torch.where(better, similarity, state.best_similarity),
                best_ids=torch.where(better[:, None], ids, state.best_ids),
            )

    def _adamw(self, state: PezState, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The continuous prompt after torch's AdamW, with its moments and its count of steps."""
        rate, decay = self._config.learning_rate, self._config.weight_decay
        count = state.count + 1
        mean = torch.lerp(state.mean, gradient, 1 - BETAS[0])
        square = state.square * BETAS[1] + gradient.square() * (1 - BETAS[1])
        scale = (square / (1 - BETAS[1] ** count)).sqrt() + EPSILON
        prompt = state.prompt * (1 - rate * decay) - rate / (1 - BETAS[0] ** count) * mean / scale
        return prompt, mean, square, count
