"""Compares the prompts of a search whose own values are only samples: every few steps, the judge scores them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..objectives.protocol import Judge
from .problem import Problem

EVERY = 10  # steps


class Comparison:
    """The best prompt of each restart according to the judge, as in section 4.3 of the PEZ paper (arXiv 2302.03668).

    ids [N, L], value [N]: those prompts, and their scores; -inf before the first.
    """

    def __init__(self, judge: Judge, problems: Sequence[Problem], ids: Tensor, every: int):
        self._judge, self._problems, self._every = judge, problems, every
        self._starts = ids.clone()
        self.ids, self.value = ids.clone(), torch.full((len(ids),), -torch.inf, device=ids.device)

    def due(self, step: int, last: int) -> bool:
        """Whether prompts are compared after step `step` of a stage of `last` steps."""
        return step % self._every == 0 or step == last

    def take(self, prompts: Tensor) -> None:
        """Scores the prompts [N, L] that are new. It may raise Stopped; what was scored before it counts."""
        count = len(self._problems)
        each = zip(self._problems, self.ids.chunk(count), prompts.chunk(count), strict=True)
        first = 0
        for problem, best, current in each:
            rows = [tuple(row) for row in current.tolist()]
            for row, ids in enumerate(rows):
                value = self._score(problem, ids)
                if value > float(self.value[first + row]):
                    self.value[first + row] = value
                    best[row] = current[row]
            first += len(rows)

    def _score(self, problem: Problem, ids: tuple[int, ...]) -> float:
        if ids not in problem.met:
            scored = self._judge.score([self._judge.text(ids)], problem.number)
            problem.met[ids] = scored[0].similarity if scored else -math.inf
        value = problem.met[ids]
        if value > problem.best:
            problem.show(self._judge, ids, value)
            problem.score_shown(self._judge)
        return value

    def ensure(self) -> None:
        """A run that was stopped before the first comparison returns the prompts that it began with."""
        for problem, own in zip(self._problems, self._starts.chunk(len(self._problems)), strict=True):
            if not problem.met:
                problem.met = {tuple(row): -math.inf for row in own.tolist()}

    def promote(self, rows: Tensor) -> None:
        """Keeps only these restarts."""
        self.ids, self.value = self.ids[rows], self.value[rows]

    def trace(self, steps: int) -> None:
        """Records the best score so far for every step up to `steps`."""
        for problem in self._problems:
            problem.trace += [problem.best] * (steps - len(problem.trace))
