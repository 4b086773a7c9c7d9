"""What every search has in common.

Letters of shapes: P problems, R restarts of each, N = P * R rows in the order of the problems, L searched tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ..objectives.protocol import Objective

NOTHING = -1  # in `kept`: a place that is searched


class Settings(Protocol):
    """The settings that searches read; InversionConfig has them all."""

    @property
    def length(self) -> int: ...
    @property
    def restarts(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def explore(self) -> int: ...
    @property
    def halving(self) -> int: ...
    @property
    def candidates(self) -> int: ...
    @property
    def top(self) -> int: ...
    @property
    def swap_from(self) -> str: ...
    @property
    def learning_rate(self) -> float | None: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def batch_size(self) -> int | None: ...
    @property
    def optimizer(self) -> str: ...


@dataclass(frozen=True)
class Cost:
    """The cost of a step for each restart: prompts that go forward and backward, and prompts that only go forward."""

    gradients: int
    values: int

    @property
    def passes(self) -> int:
        """Passes of the encoder: one for each prompt forward, and one for each backward."""
        return 2 * self.gradients + self.values

    @property
    def most(self) -> int:
        """The most prompts computed at once."""
        return max(self.gradients, self.values)


@dataclass(frozen=True)
class SearchState:
    """The state of N restarts. S: most steps.

    count: steps taken for each problem, int64 [P]: a problem may have begun later than others.
    problem: int64 [N], the problem of each restart.
    kept: int64 [N, L], tokens that stay in their places; NOTHING in the places that are searched.
    best_value [N], best_ids [N, L]: the best prompt of each restart so far.
    current [N, L]: the prompts that the last step evaluated.
    trace [P, S]: the best value of each problem after each step; -inf for steps not taken yet.
    """

    count: Tensor
    problem: Tensor
    kept: Tensor
    best_value: Tensor
    best_ids: Tensor
    current: Tensor
    trace: Tensor


State = TypeVar("State", bound=SearchState)


class Search(Protocol[State]):
    """Steps from state to state. Restarts and problems do not influence each other."""

    @staticmethod
    def cost(settings: Settings, tokens: int) -> Cost:
        """The cost of a step if `tokens` tokens may be used."""
        ...

    def __init__(
        self, objective: Objective, settings: Settings, steps: int, generators: Sequence[torch.Generator]
    ) -> None:
        """generators: a source of random numbers for each problem."""
        ...

    def begin(self, ids: Tensor, value: Tensor | None = None, kept: Tensor | None = None) -> State:
        """The state before the first step, from token ids [N, L] and their value [N], if known.

        `kept` [N, L]: as in the state; `ids` must contain these tokens. None: every place is searched.
        """
        ...

    def prepare(self, step: int) -> None:
        """Makes the random choices of step `step`, counted from 0, on the host."""
        ...

    def renew(self, problem: int, step: int) -> None:
        """Another problem takes the place of `problem`, and its first step is `step`: choices are drawn from its generator
        as it is now."""
        ...

    def step(self, state: State) -> State:
        """The state after one more step: a pure function of tensors that never waits for their values."""
        ...


def first_fields(
    objective: Objective, ids: Tensor, value: Tensor | None, kept: Tensor | None, steps: int
) -> dict[str, Any]:
    """The common fields before the first step."""
    problems = len(objective.parts)
    unknown = torch.full((len(ids),), -torch.inf, device=ids.device)
    return {
        "count": torch.zeros(problems, dtype=torch.long, device=ids.device),
        "problem": torch.arange(problems, device=ids.device).repeat_interleave(len(ids) // problems),
        "kept": torch.full_like(ids, NOTHING) if kept is None else kept.clone(),
        "best_value": unknown if value is None else value.clone(),
        "best_ids": ids.clone(),
        "current": ids.clone(),
        "trace": torch.full((problems, steps), -torch.inf, device=ids.device),
    }


def next_fields(state: SearchState, ids: Tensor, value: Tensor) -> dict[str, Any]:
    """The common fields after a step that evaluated the prompts `ids` [N, L] with the values `value` [N]."""
    better = value > state.best_value
    best = torch.where(better, value, state.best_value)
    leading = best.view(len(state.trace), -1).amax(1, keepdim=True)
    step = state.count.clamp(max=state.trace.shape[1] - 1)[:, None]  # a problem that has ended may go on beside others
    return {
        "count": state.count + 1,
        "problem": state.problem,
        "kept": state.kept,
        "best_value": best,
        "best_ids": torch.where(better[:, None], ids, state.best_ids),
        "current": ids,
        "trace": state.trace.scatter(1, step, leading),
    }


def with_kept(ids: Tensor, kept: Tensor) -> Tensor:
    """`ids` [N, L] with the kept tokens in their places."""
    return torch.where(kept == NOTHING, ids, kept)
