"""Descents without a continuous prompt: each step starts and ends at tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..objectives.protocol import Objective
from .descent import Descent
from .draws import Draws
from .state import SearchState, Settings, first_fields, next_fields, with_kept

BETAS = (1.0, 1e-4)  # FluentPrompt's temperature, first and last, decreasing geometrically


@dataclass(frozen=True)
class TokenState(SearchState):
    """ids [N, L]: the current prompts."""

    ids: Tensor


class AutoPromptSgdSearch(Descent):
    """Gradient descent, projected to tokens after each step: P <- Proj(P - lr g), the gradient taken at P."""

    LEARNING_RATE = 10.0  # the best of 1, 10 and 100 with benchmarks.quality; a plain rate, not AdamW's

    def begin(self, ids: Tensor, value: Tensor | None = None, kept: Tensor | None = None) -> TokenState:
        """See `Search`."""
        return TokenState(**first_fields(self._objective, ids, value, kept, self._steps), ids=ids.clone())

    @torch.no_grad()
    def step(self, state: TokenState) -> TokenState:
        """See `Search`."""
        value, gradient = self._objective.value_and_gradient(state.ids, state.problem, self._draws.at(state.count))
        moved = self._move(state, gradient)
        return TokenState(**next_fields(state, state.ids, value), ids=with_kept(self._nearest(moved), state.kept))

    def _move(self, state: TokenState, gradient: Tensor) -> Tensor:
        return self._objective.space.embed(state.ids) + self._rate * gradient


class FluentPromptSearch(AutoPromptSgdSearch):
    """Langevin dynamics (arXiv 2212.10539): P <- Proj(P - lr g + sqrt(2 lr beta) z), z ~ N(0, 1)."""

    LEARNING_RATE = 1.0  # the best of 1, 10 and 100 with benchmarks.quality

    def __init__(
        self, objective: Objective, settings: Settings, steps: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__(objective, settings, steps, generators)
        shape = (settings.restarts, settings.length, sum(objective.space.widths))
        device = objective.space.device
        draw = [lambda n, own=own: torch.randn((n, *shape), generator=own) for own in generators]
        self._noise = Draws(draw, shape[0] * shape[1] * shape[2], steps, device)
        first, last = BETAS
        betas = first * (last / first) ** torch.linspace(0, 1, steps)
        self._sizes = (2 * self._rate * betas).sqrt().to(device)

    def prepare(self, step: int) -> None:
        """See `Search`."""
        super().prepare(step)
        self._noise.prepare(step)

    def renew(self, problem: int, step: int) -> None:
        """See `Search`."""
        super().renew(problem, step)
        self._noise.renew(problem, step)

    def _move(self, state: TokenState, gradient: Tensor) -> Tensor:
        noise = self._noise.at(state.count).flatten(0, 1)
        step = state.count.clamp(max=self._steps - 1)  # a problem that has ended may go on beside others
        return super()._move(state, gradient) + self._sizes[step][state.problem][:, None, None] * noise
