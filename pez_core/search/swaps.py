"""Token swaps ranked by gradient, accepted only where they help."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import InversionConfig
from ..objectives.match import Objective
from .projection import ROWS
from .state import NOTHING, SearchState, begun, stepped


@dataclass(frozen=True)
class SwapState(SearchState):
    """The best prompts are where the search stands. A: allowed tokens.

    tried: bool [R, L, A + 1], which of them were tried at which place of the present prompt; the last
    column is for tokens that are not allowed (a prompt may begin with such).
    """

    tried: Tensor


class _Swaps:
    """What both searches share: the ranking, and the memory of what was tried."""

    def __init__(self, objective: Objective, config: InversionConfig, steps: int):
        allowed = objective.allowed
        self._objective = objective
        self._steps = steps
        self._top = min(config.top, len(allowed))
        self._table = objective.embed(allowed)
        self._column = torch.full((objective.tokens,), len(allowed), device=allowed.device)
        self._column[allowed] = torch.arange(len(allowed), device=allowed.device)

    def begin(self, ids: Tensor, similarity: Tensor | None = None, kept: Tensor | None = None) -> SwapState:
        common = begun(ids, similarity, kept, self._steps)
        return SwapState(**common, tried=self._untried(ids, common["kept"]))

    def _untried(self, ids: Tensor, kept: Tensor) -> Tensor:
        """Nothing was tried; but a word that the prompt has is not brought in once more, and what is kept stays."""
        fresh = (kept != NOTHING)[..., None].repeat(1, 1, len(self._table) + 1)
        return fresh.scatter_(-1, self._column[ids][:, None].expand(-1, ids.shape[1], -1), True)

    def _ranked(self, gradient: Tensor, tried: Tensor) -> tuple[Tensor, Tensor]:
        """Of each place the `top` untried tokens (columns [..., k]) that the gradient [..., D] promises most of.

        And which of them are none, bool [..., k]: where fewer are left.
        """
        rows, seen = gradient.flatten(0, -2), tried.flatten(0, -2)[:, :-1]
        found = [
            (part @ self._table.T).masked_fill(hidden, -torch.inf).topk(self._top)
            for part, hidden in zip(rows.split(ROWS), seen.split(ROWS), strict=True)
        ]
        columns = torch.cat([each.indices for each in found]).view(*gradient.shape[:-1], -1)
        spent = torch.cat([each.values for each in found]).view_as(columns) == -torch.inf
        return columns, spent

    def _accepted(
        self, state: SwapState, similarity: Tensor, place: Tensor, columns: Tensor, hidden: Tensor
    ) -> SwapState:
        """The state after the swaps of `columns` [R, B] into `place` [R, B] were scored; `hidden` [R, B] are none."""
        ids, each = state.best_ids, torch.arange(len(state.best_ids), device=place.device)
        tokens = self._objective.allowed[columns]
        prompts = ids[:, None].expand(-1, place.shape[1], -1).scatter(2, place[..., None], tokens[..., None])
        scores = self._objective.similarity(prompts.flatten(0, 1)).view_as(place).masked_fill(hidden, -torch.inf)
        best, which = scores.max(-1)
        better = best > similarity
        chosen = torch.where(better[:, None], prompts[each, which], ids)
        seen = torch.ones_like(hidden)
        tried = state.tried.index_put((each[:, None], place, torch.where(hidden, len(self._table), columns)), seen)
        same = torch.arange(ids.shape[1], device=place.device) == place[each, which][:, None]  # the place that changed:
        anew = self._untried(chosen, state.kept) | (
            tried & same[..., None]
        )  # there, other tokens give the prompts that they gave
        return SwapState(
            **stepped(state, chosen, torch.where(better, best, similarity)),
            tried=torch.where(better[:, None, None], anew, tried),
        )


class SwapSearch(_Swaps):
    """Greedy coordinate gradient (arXiv 2307.15043, Algorithm 1), for each restart by itself.

    In each step the gradient at the present tokens ranks every allowed token at every place. Of the `top`
    best untried ones of all places `candidates` are drawn and scored exactly; the best is taken if it is
    better. Unlike there, no swap is tried again while the other tokens stay.
    """

    def __init__(self, objective: Objective, config: InversionConfig, steps: int, generator: torch.Generator):
        super().__init__(objective, config, steps)
        choices = config.length * self._top
        self._count = min(config.candidates, choices)
        self._noise = torch.rand(steps, choices, generator=generator).to(objective.allowed.device)
        self.passes = 2 + self._count

    @torch.no_grad()
    def step(self, state: SwapState) -> SwapState:
        similarity, gradient = self._objective.score(state.best_ids)
        similarity = torch.maximum(similarity, state.best_similarity)  # rounding takes nothing away
        columns, spent = self._ranked(gradient, state.tried)
        noise = self._noise.index_select(0, state.count.view(1)).expand(len(spent), -1)
        drawn = noise.masked_fill(spent.flatten(1), -1).topk(self._count)
        return self._accepted(
            state, similarity, drawn.indices // self._top, columns.flatten(1).gather(1, drawn.indices), drawn.values < 0
        )


class AutoPromptSearch(_Swaps):
    """AutoPrompt (arXiv 2010.15980) with HotFlip's ranking: one place after the other, the `top` best tokens
    there by gradient, all scored exactly; the best is taken if it is better."""

    def __init__(self, objective: Objective, config: InversionConfig, steps: int, generator: torch.Generator):
        del generator  # nothing here is random
        super().__init__(objective, config, steps)
        self.passes = 2 + self._top

    @torch.no_grad()
    def step(self, state: SwapState) -> SwapState:
        similarity, gradient = self._objective.score(state.best_ids)
        similarity = torch.maximum(similarity, state.best_similarity)
        place = (state.count % gradient.shape[1]).view(1)
        columns, spent = self._ranked(gradient.index_select(1, place), state.tried.index_select(1, place))
        columns, spent = columns[:, 0], spent[:, 0]
        return self._accepted(state, similarity, place.expand_as(columns), columns, spent)
