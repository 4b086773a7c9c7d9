"""The interface between searches and what they optimize.

Letters of shapes: N prompts (rows), P problems (such as pictures, searched side by side), L searched tokens,
D token width, V vocabulary, G groups of tokens (1, or one for each problem), A tokens of the largest group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ..result import Candidate, Token
from ..towers import Alike


def nothing() -> None:
    """Stands for a `between` that nobody asked for."""


@dataclass(frozen=True)
class Measure:
    """The name of an objective's value, and the least gain that counts.

    sampled: the values that come with gradients are those of a random part of the target, so that only the judge can
    compare prompts of different steps.
    """

    name: str
    least_gain: float
    sampled: bool = False


@dataclass(frozen=True)
class Space:
    """The tokens that a search may use.

    allowed: int64 [G, A], ascending; G is 1 if all problems share them. Shorter groups are padded with their last
    token. sizes: the number of tokens in each group. vocabulary: V.
    widths: the lengths of the parts of a token embedding, one for each text tower; their sum is D.
    embed: token embeddings float32 [..., D] of ids [...].
    """

    allowed: Tensor
    sizes: tuple[int, ...]
    vocabulary: int
    widths: tuple[int, ...]
    embed: Callable[[Tensor], Tensor]

    @property
    def device(self) -> torch.device:
        """The device of the tokens."""
        return self.allowed.device

    def of(self, problem: int) -> Tensor:
        """The tokens int64 [A] of one problem."""
        group = problem if len(self.sizes) > 1 else 0
        return self.allowed[group, : self.sizes[group]]

    def group(self, problem: Tensor) -> Tensor:
        """The group of tokens that each of the problems int64 [N] uses."""
        return problem if len(self.sizes) > 1 else torch.zeros_like(problem)

    def tokens(self, problem: Tensor, columns: Tensor) -> Tensor:
        """The tokens int64 [N, B] in the `columns` [N, B] of the groups of the problems [N]."""
        return self.allowed[self.group(problem)[:, None], columns]

    def narrowed(self, ids: Sequence[Tensor]) -> Space:
        """The space with only those allowed tokens that are among the `ids` of each problem, tensors of any shape.

        If there are none (all places may have kept words), the first allowed token remains: no group may be empty.
        """
        groups = []
        for problem, own in enumerate(ids):
            before = self.of(problem)
            among = before[torch.isin(before, own)]
            groups.append(among if len(among) else before[:1])
        longest = max(map(len, groups))
        filled = [torch.cat([each, each[-1:].expand(longest - len(each))]) for each in groups]
        return replace(self, allowed=torch.stack(filled), sizes=tuple(map(len, groups)))


class Objective(Protocol):
    """How good prompts are, for P problems at once. Higher is better.

    parts: for each problem, the number of parts of its target (pictures, examples); a descent may use a random subset.
    together: how many prompts are computed at once; more are split, with the same result. A run lowers it when
    memory is short.
    between: called between such splits, so that a run can stop within a long step; it may raise.
    """

    parts: tuple[int, ...]
    space: Space
    measure: Measure
    together: int
    between: Callable[[], None]

    def value(self, ids: Tensor, problem: Tensor, alike: Alike | None = None) -> Tensor:
        """The value float32 [N] of prompts int64 [N, L], each for its problem int64 [N]; -inf for a banned prompt.

        alike: what the prompts have in common, which an objective may compute once.
        """
        ...

    def value_and_gradient(self, ids: Tensor, problem: Tensor, drawn: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`value` [N], and its gradient float32 [N, L, D] at the tokens' embeddings.

        drawn: bool [P, most parts], the parts of each problem's target that the gradient uses; None for all. The value
        always uses all parts.
        """
        ...

    def within(self, space: Space) -> Objective:
        """The same objective for another space; `together` is reset."""
        ...


class Judge(Protocol):
    """The exact scores of final texts: everything that a person sees comes from it.

    measure: what its scores are called. between: called between splits of a long scoring, so that a run can stop within it;
    it may raise.
    """

    measure: str
    between: Callable[[], None]

    def text(self, ids: Sequence[int]) -> str:
        """The whole prompt of searched ids."""
        ...

    def score(self, texts: Sequence[str], problem: int) -> list[Candidate]:
        """The texts that may be returned, best first, each with its exact score."""
        ...

    def contributions(self, text: str, problem: int) -> tuple[Token, ...]:
        """How much each token of a text contributes to its score."""
        ...
