"""What every search has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class SearchState:
    """Where R restarts stand. L: searched tokens, S: most steps.

    count: steps taken, int64 [].
    best_similarity [R], best_ids [R, L]: the best prompt that each restart has met.
    trace [S]: the best similarity of all restarts after each step taken; -inf behind them.
    """

    count: Tensor
    best_similarity: Tensor
    best_ids: Tensor
    trace: Tensor


State = TypeVar("State", bound=SearchState)


class Search(Protocol[State]):
    """A step over a state. Restarts do not know of each other.

    passes: of the text encoder that a step takes for each restart, forward and backward counted.
    """

    passes: int

    def begin(self, ids: Tensor, similarity: Tensor | None = None) -> State:
        """The state before the first step, from token ids [R, L] and, where it is known, their similarity [R]."""
        ...

    def step(self, state: State) -> State:
        """The state after one more step: a pure function of tensors, without a look at their values."""
        ...


def begun(ids: Tensor, similarity: Tensor | None, steps: int) -> dict[str, Any]:
    """The common fields before the first step."""
    unknown = torch.full((len(ids),), -torch.inf, device=ids.device)
    return {
        "count": torch.zeros((), dtype=torch.long, device=ids.device),
        "best_similarity": unknown if similarity is None else similarity.clone(),
        "best_ids": ids.clone(),
        "trace": torch.full((steps,), -torch.inf, device=ids.device),
    }


def stepped(state: SearchState, ids: Tensor, similarity: Tensor) -> dict[str, Any]:
    """The common fields after a step that met the prompts `ids` [R, L] of `similarity` [R]."""
    better = similarity > state.best_similarity
    best = torch.where(better, similarity, state.best_similarity)
    return {
        "count": state.count + 1,
        "best_similarity": best,
        "best_ids": torch.where(better[:, None], ids, state.best_ids),
        "trace": state.trace.index_copy(0, state.count.view(1), best.amax(0, keepdim=True)),
    }
