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
    """Where R restarts stand. D: token width, L: searched tokens, S: most steps.

    prompt: the continuous embeddings [R, L, D]; mean, square: AdamW's moments of their gradients.
    count: steps taken, int64 [].
    best_similarity [R], best_ids [R, L]: the best prompt that each restart has met.
    trace [S]: the best similarity of all restarts after each step taken; -inf behind them.
    """

    prompt: Tensor
    mean: Tensor
    square: Tensor
    count: Tensor
    best_similarity: Tensor
    best_ids: Tensor
    trace: Tensor


class PezSearch:
    """Gradient descent on continuous embeddings, the gradient taken at the nearest tokens.

    Unlike the published code, one pass of the tower gives both the gradient and the score, restarts do
    not share a loss (so each runs as if alone), and only allowed tokens are projected to.

    `generator` gives the random starts and draws, on the CPU so that every device has the same.
    """

    def __init__(self, objective: Objective, config: InversionConfig, generator: torch.Generator):
        self._objective = objective
        self._config = config
        self._nearest = Projection(objective.table, objective.allowed)
        self._starts = torch.randint(len(objective.allowed), (config.restarts, config.length), generator=generator)
        self._draws = self._drawn_pictures(generator)

    def start(self) -> PezState:
        """The state before the first step: random allowed tokens."""
        allowed = self._objective.allowed
        return self.start_from(allowed[self._starts.to(allowed.device)])

    def start_from(self, ids: Tensor) -> PezState:
        """The state before the first step, from token ids [R, L]."""
        prompt = self._objective.table[ids].detach().float().clone()
        return PezState(
            prompt=prompt,
            mean=torch.zeros_like(prompt),
            square=torch.zeros_like(prompt),
            count=torch.zeros((), dtype=torch.long, device=prompt.device),
            best_similarity=torch.full((len(ids),), -torch.inf, device=prompt.device),
            best_ids=ids.clone(),
            trace=torch.full((self._config.steps,), -torch.inf, device=prompt.device),
        )

    @torch.no_grad()
    def step(self, state: PezState) -> PezState:
        """The state after one more step: a pure function of tensors, without a look at their values."""
        objective = self._objective
        ids = self._nearest(state.prompt)
        drawn = None if self._draws is None else self._draws.index_select(0, state.count.view(1))[0]
        similarity, gradient = objective.score(ids, drawn)
        banned = objective.banned(ids)
        if banned is not None:
            similarity = similarity.masked_fill(banned, -torch.inf)
        better = similarity > state.best_similarity
        best = torch.where(better, similarity, state.best_similarity)
        prompt, mean, square = self._adamw(state, -gradient)
        return PezState(
            prompt=prompt,
            mean=mean,
            square=square,
            count=state.count + 1,
            best_similarity=best,
            best_ids=torch.where(better[:, None], ids, state.best_ids),
            trace=state.trace.index_copy(0, state.count.view(1), best.amax(0, keepdim=True)),
        )

    def _drawn_pictures(self, generator: torch.Generator) -> Tensor | None:
        """Indices [S, batch_size] of the pictures drawn for each step, or None where all of them are used."""
        size, count = self._config.batch_size, self._objective.pictures
        if size is None or size >= count:
            return None
        order = torch.rand(self._config.steps, count, generator=generator).argsort(dim=1)
        return order[:, :size].to(self._objective.allowed.device)

    def _adamw(self, state: PezState, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The continuous prompt after a step of torch's AdamW, with its moments."""
        rate, decay = self._config.learning_rate, self._config.weight_decay
        count = (state.count + 1).float()
        mean = torch.lerp(state.mean, gradient, 1 - BETAS[0])
        square = torch.lerp(state.square, gradient.square(), 1 - BETAS[1])
        scale = (square / (1 - BETAS[1] ** count)).sqrt() + EPSILON
        prompt = state.prompt * (1 - rate * decay) - rate / (1 - BETAS[0] ** count) * mean / scale
        return prompt, mean, square
