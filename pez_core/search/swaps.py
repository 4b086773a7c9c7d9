"""Token swaps ranked by gradient, accepted only where they help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..objectives.protocol import Objective
from .draws import Draws
from .projection import ROWS
from .state import NOTHING, Cost, SearchState, Settings, first_fields, next_fields


@dataclass(frozen=True)
class SwapState(SearchState):
    """The best prompts are the current prompts. A: allowed tokens of the largest group.

    tried: bool [N, L, A + 1], the tokens tried at each place of the current prompt; the last column is for tokens
    that are not allowed, which a prompt may start with.
    """

    tried: Tensor


class _Swaps:
    """What both swap searches share: the ranking, and the record of tried swaps."""

    def __init__(self, objective: Objective, settings: Settings, steps: int):
        space = objective.space
        groups, longest = space.allowed.shape
        self._objective = objective
        self._steps = steps
        self._space = space
        self._tops = [min(settings.top, size) for size in space.sizes]  # tokens ranked at a place, for each group
        self._top = max(self._tops)
        self._table = space.embed(space.allowed)  # [G, A, D]
        self._column = torch.full(
            (groups, space.vocabulary), longest, device=space.device
        )  # the column in `tried` of each token
        self._filler = torch.zeros(
            groups, longest + 1, dtype=torch.bool, device=space.device
        )  # columns without a token
        for group, size in enumerate(space.sizes):
            self._column[group, space.allowed[group, :size]] = torch.arange(size, device=space.device)
            self._filler[group, size:longest] = True

    def begin(self, ids: Tensor, value: Tensor | None = None, kept: Tensor | None = None) -> SwapState:
        """See `Search`."""
        common = first_fields(self._objective, ids, value, kept, self._steps)
        return SwapState(**common, tried=self._initial_tried(ids, common["kept"], common["problem"]))

    def _initial_tried(self, ids: Tensor, kept: Tensor, problem: Tensor) -> Tensor:
        """`tried` for a new prompt: marks tokens that are in the prompt already, and all tokens at kept places."""
        group = self._space.group(problem)
        fresh = (kept != NOTHING)[..., None] | self._filler[group][:, None]
        columns = self._column[group[:, None], ids]
        return fresh.scatter_(-1, columns[:, None].expand(-1, ids.shape[1], -1), True)

    def _rank(self, gradient: Tensor, tried: Tensor) -> tuple[Tensor, Tensor]:
        """The `top` untried tokens for each of K places, ranked by the gradient [N, K, D]: columns int64 [N, K, k].

        Also bool [N, K, k]: entries that are not a token, because fewer are left.
        """
        groups = len(self._table)
        rows, hidden = (each.flatten(0, -2).chunk(groups) for each in (gradient, tried[..., :-1]))
        found = [
            (some @ table.T).masked_fill(seen, -torch.inf).topk(self._top)
            for own, mask, table in zip(rows, hidden, self._table, strict=True)
            for some, seen in zip(own.split(ROWS), mask.split(ROWS), strict=True)
        ]
        columns = torch.cat([each.indices for each in found]).view(*gradient.shape[:-1], -1)
        spent = torch.cat([each.values for each in found]).view_as(columns) == -torch.inf
        return columns, spent

    def _accept(self, state: SwapState, value: Tensor, place: Tensor, columns: Tensor, hidden: Tensor) -> SwapState:
        """The state after scoring swaps of the tokens in `columns` [N, B] into `place` [N, B], except the `hidden` [N, B]."""
        ids, each = state.best_ids, torch.arange(len(state.best_ids), device=place.device)
        tokens = self._space.tokens(state.problem, columns)
        prompts = ids[:, None].expand(-1, place.shape[1], -1).scatter(2, place[..., None], tokens[..., None])
        problem = state.problem.repeat_interleave(place.shape[1])
        scores = self._objective.value(prompts.flatten(0, 1), problem).view_as(place).masked_fill(hidden, -torch.inf)
        best, which = scores.max(-1)
        better = best > value
        chosen = torch.where(better[:, None], prompts[each, which], ids)
        outside = self._table.shape[1]  # the last column
        tried = state.tried.index_put(
            (each[:, None], place, torch.where(hidden, outside, columns)), torch.ones_like(hidden)
        )
        # At the place that changed, other tokens lead to the same prompts as before.
        same = torch.arange(ids.shape[1], device=place.device) == place[each, which][:, None]
        fresh = self._initial_tried(chosen, state.kept, state.problem) | (tried & same[..., None])
        return SwapState(
            **next_fields(state, chosen, torch.where(better, best, value)),
            tried=torch.where(better[:, None, None], fresh, tried),
        )


class SwapSearch(_Swaps):
    """Greedy coordinate gradient (arXiv 2307.15043, Algorithm 1), for each restart separately.

    In each step the gradient ranks every allowed token at every place. From the `top` untried tokens of each place,
    `candidates` swaps are drawn and scored exactly; the best is accepted if it improves the prompt. Unlike in the
    paper, no swap is tried again while the other tokens stay.
    """

    def __init__(
        self, objective: Objective, settings: Settings, steps: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__(objective, settings, steps)
        choices = settings.length * self._top
        self._count = min(settings.candidates, choices)
        tops = self._tops * (len(generators) // len(self._tops))  # for each problem
        draw = [_choices(settings.length, top, self._top, own) for top, own in zip(tops, generators, strict=True)]
        self._noise = Draws(draw, choices, steps, objective.space.device)

    @staticmethod
    def cost(settings: Settings, tokens: int) -> Cost:
        """See `Search`."""
        return Cost(gradients=1, values=min(settings.candidates, settings.length * min(settings.top, tokens)))

    def prepare(self, step: int) -> None:
        """See `Search`."""
        self._noise.prepare(step)

    def renew(self, problem: int, step: int) -> None:
        """See `Search`."""
        self._noise.renew(problem, step)

    @torch.no_grad()
    def step(self, state: SwapState) -> SwapState:
        """See `Search`."""
        value, gradient = self._objective.value_and_gradient(state.best_ids, state.problem)
        value = torch.maximum(value, state.best_value)  # rounding must not lower it
        columns, spent = self._rank(gradient, state.tried)
        noise = self._noise.at(state.count)[state.problem]
        drawn = noise.masked_fill(spent.flatten(1), -1).topk(self._count)
        chosen = columns.flatten(1).gather(1, drawn.indices)
        return self._accept(state, value, drawn.indices // self._top, chosen, drawn.values < 0)


class AutoPromptSearch(_Swaps):
    """AutoPrompt (arXiv 2010.15980) with HotFlip's ranking: one place per step, in turn; the `top` tokens
    there by gradient are all scored exactly, and the best is accepted if it improves the prompt."""

    def __init__(
        self, objective: Objective, settings: Settings, steps: int, generators: Sequence[torch.Generator]
    ) -> None:
        del generators  # nothing here is random
        super().__init__(objective, settings, steps)

    @staticmethod
    def cost(settings: Settings, tokens: int) -> Cost:
        """See `Search`."""
        return Cost(gradients=1, values=min(settings.top, tokens))

    def prepare(self, step: int) -> None:
        """See `Search`."""

    def renew(self, problem: int, step: int) -> None:
        """See `Search`."""

    @torch.no_grad()
    def step(self, state: SwapState) -> SwapState:
        """See `Search`."""
        value, gradient = self._objective.value_and_gradient(state.best_ids, state.problem)
        value = torch.maximum(value, state.best_value)
        place = (state.count % gradient.shape[1])[state.problem][:, None]
        own = (torch.arange(len(place), device=place.device)[:, None], place)
        columns, spent = self._rank(gradient[own], state.tried[own])
        columns, spent = columns[:, 0], spent[:, 0]
        return self._accept(state, value, place.expand_as(columns), columns, spent)


def _choices(length: int, top: int, most: int, generator: torch.Generator) -> Callable[[int], Tensor]:
    """A function that draws numbers [n, length * most] for the `top` tokens of each place, padded with -1 to `most`."""

    def draw(steps: int) -> Tensor:
        drawn = torch.rand(steps, length * top, generator=generator).view(steps, length, top)
        return F.pad(drawn, (0, most - top), value=-1.0).flatten(1)

    return draw
