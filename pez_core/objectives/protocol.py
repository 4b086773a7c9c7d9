"""What a search needs to know of the thing that it makes prompts good at.

Letters of shapes: N prompts (rows), P problems (such as pictures that are searched side by side), L searched tokens,
D token width, V vocabulary, G groups of tokens (1, or one for each problem), A tokens of the largest group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ..result import Candidate, Token


@dataclass(frozen=True)
class Measure:
    """What an objective's number is called, and the least gain that counts as one."""

    name: str
    least_gain: float


@dataclass(frozen=True)
class Space:
    """The tokens that a search may use.

    allowed: int64 [G, A], ascending; G is 1 where all problems share them. A shorter group is filled up with its
    last token. sizes: how many tokens each group has. vocabulary: V.
    widths: the lengths of the parts of a token embedding, one for each text tower; D in sum.
    embed: token embeddings float32 [..., D] of ids [...].
    """

    allowed: Tensor
    sizes: tuple[int, ...]
    vocabulary: int
    widths: tuple[int, ...]
    embed: Callable[[Tensor], Tensor]

    @property
    def device(self) -> torch.device:
        """Where the tokens are."""
        return self.allowed.device

    def of(self, problem: int) -> Tensor:
        """The tokens int64 [A] of one problem."""
        group = problem if len(self.sizes) > 1 else 0
        return self.allowed[group, : self.sizes[group]]

    def group(self, problem: Tensor) -> Tensor:
        """Which group of tokens each of the problems int64 [N] uses."""
        return problem if len(self.sizes) > 1 else torch.zeros_like(problem)

    def tokens(self, problem: Tensor, columns: Tensor) -> Tensor:
        """The tokens int64 [N, B] in the `columns` [N, B] of the groups of the problems [N]."""
        return self.allowed[self.group(problem)[:, None], columns]

    def narrowed(self, ids: Sequence[Tensor]) -> Space:
        """Only those of the allowed tokens that are among the `ids` of each problem, tensors of any shape.

        Where none is (all places may hold kept words), the first allowed token remains, so that no group is empty.
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

    parts: for each problem, how many parts its target has (pictures, examples), of which a descent may draw some.
    together: how many prompts are computed at once; more are split, with the same result. A run that is short of
    memory lowers it.
    between: called between such splits, so that a run can be stopped within a long step; it may raise.
    """

    parts: tuple[int, ...]
    space: Space
    measure: Measure
    together: int
    between: Callable[[], None]

    def value(self, ids: Tensor, problem: Tensor) -> Tensor:
        """The value float32 [N] of prompts int64 [N, L], each for its problem int64 [N]; -inf for a banned prompt."""
        ...

    def value_and_gradient(self, ids: Tensor, problem: Tensor, drawn: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`value` [N], and its gradient float32 [N, L, D] at the tokens' embeddings.

        drawn: bool [P, most parts], the parts of each problem's target that give the gradient; None for all. The
        value is always that of all parts.
        """
        ...

    def within(self, space: Space) -> Objective:
        """The same objective with other tokens to use; memory is tried anew."""
        ...


class Judge(Protocol):
    """The exact scores of final texts: everything that a person sees comes from it."""

    def text(self, ids: Sequence[int]) -> str:
        """The whole prompt of searched ids."""
        ...

    def score(self, texts: Sequence[str], problem: int) -> list[Candidate]:
        """The texts that may be returned, best first, each with the score of that very text."""
        ...

    def contributions(self, text: str, problem: int) -> tuple[Token, ...]:
        """How much each token of a text contributes to its score."""
        ...
