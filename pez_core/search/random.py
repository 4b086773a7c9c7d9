"""The baseline: random prompts, of which the best is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..objectives.protocol import Objective
from .draws import Draws
from .state import Cost, SearchState, Settings, first_fields, next_fields, with_kept


class RandomSearch:
    """Tries a new random prompt of allowed tokens in each step."""

    def __init__(
        self, objective: Objective, settings: Settings, steps: int, generators: Sequence[torch.Generator]
    ) -> None:
        self._objective = objective
        self._steps = steps
        shape, space = (settings.restarts, settings.length), objective.space
        draw = [_columns(len(space.of(p)), shape, own) for p, own in enumerate(generators)]
        self._draws = Draws(draw, 2 * shape[0] * shape[1], steps, space.device)

    @staticmethod
    def cost(settings: Settings, tokens: int) -> Cost:
        """See `Search`."""
        return Cost(gradients=0, values=1)

    def begin(self, ids: Tensor, value: Tensor | None = None, kept: Tensor | None = None) -> SearchState:
        """See `Search`."""
        return SearchState(**first_fields(self._objective, ids, value, kept, self._steps))

    def prepare(self, step: int) -> None:
        """See `Search`."""
        self._draws.prepare(step)

    def renew(self, problem: int, step: int) -> None:
        """See `Search`."""
        self._draws.renew(problem, step)

    @torch.no_grad()
    def step(self, state: SearchState) -> SearchState:
        """See `Search`."""
        columns = self._draws.at(state.count).flatten(0, 1)
        ids = with_kept(self._objective.space.tokens(state.problem, columns), state.kept)
        return SearchState(**next_fields(state, ids, self._objective.value(ids, state.problem)))


def _columns(tokens: int, shape: tuple[int, int], generator: torch.Generator) -> Callable[[int], Tensor]:
    """A function that draws places int64 [n, *shape] below `tokens`."""
    return lambda steps: torch.randint(tokens, (steps, *shape), generator=generator)
