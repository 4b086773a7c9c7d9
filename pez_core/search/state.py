"""What every search has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

NOTHING = -1  # among kept tokens: a place that is searched


@dataclass(frozen=True)
class SearchState:
    """Where R restarts stand. L: searched tokens, S: most steps.

    count: steps taken, int64 [].
    kept: int64 [R, L], the tokens that stay where they are, NOTHING in the places that are searched.
    best_similarity [R], best_ids [R, L]: the best prompt that each restart has met.
    trace [S]: the best similarity of all restarts after each step taken; -inf behind them.
    """

    count: Tensor
    kept: Tensor
    best_similarity: Tensor
    best_ids: Tensor
    trace: Tensor


State = TypeVar("State", bound=SearchState)


class Search(Protocol[State]):
    """A step over a state. Restarts do not know of each other.

    passes: of the text encoder that a step takes for each restart, forward and backward counted.
    """

    passes: int

    def begin(self, ids: Tensor, similarity: Tensor | None = None, kept: Tensor | None = None) -> State:
        """The state before the first step, from token ids [R, L] and, where it is known, their similarity [R].

        `kept` [R, L]: as in the state, and so in `ids`; None where every place is searched.
        """
        ...

    def step(self, state: State) -> State:
        """The state after one more step: a pure function of tensors, without a look at their values."""
        ...


def begun(ids: Tensor, similarity: Tensor | None, kept: Tensor | None, steps: int) -> dict[str, Any]:
    """The common fields before the first step."""
    unknown = torch.full((len(ids),), -torch.inf, device=ids.device)
    return {
        "count": torch.zeros((), dtype=torch.long, device=ids.device),
        "kept": torch.full_like(ids, NOTHING) if kept is None else kept.clone(),
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
        "kept": state.kept,
        "best_similarity": best,
        "best_ids": torch.where(better[:, None], ids, state.best_ids),
        "trace": state.trace.index_copy(0, state.count.view(1), best.amax(0, keepdim=True)),
    }


def with_kept(ids: Tensor, kept: Tensor) -> Tensor:
    """`ids` [R, L] with the tokens that stay where they are."""
    return torch.where(kept == NOTHING, ids, kept)
