"""Random choices of a search, made on the CPU, so that all devices get the same.

They are drawn in blocks of steps, so memory does not grow with the number of steps. Uniform numbers are the same as
if drawn all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..objectives.protocol import Objective

BLOCK = 64  # most steps drawn at once
BYTES = 2**26  # most for one problem's block of more than one step


class Draws:
    """Random tensors for the steps of P problems.

    draw: for each problem, a function from a number of steps n to its next numbers [n, ...].
    numbers: how many a step of one problem uses. steps: the number of steps in total.
    """

    def __init__(self, draw: Sequence[Callable[[int], Tensor]], numbers: int, steps: int, device: torch.device | str):
        self._draw = draw
        self._steps = steps
        self._rows = max(1, min(BLOCK, steps, BYTES // (4 * numbers)))
        self._begun = [0] * len(draw)  # the first step of each problem
        self._block = [0] * len(draw)
        self._problems = torch.arange(len(draw), device=device)
        # [steps of a block, P, ...]; overwritten in place, as CUDA graphs need
        self._buffer = self._draw_blocks(range(len(draw))).to(device)

    def prepare(self, step: int) -> None:
        """Draws the numbers for step `step`, counted from 0, if they are not drawn yet."""
        due = []
        for problem, begun in enumerate(self._begun):
            block = (step - begun) // self._rows
            if block > self._block[problem] and step - begun < self._steps:
                self._block[problem] = block
                due.append(problem)
        if due:
            self._buffer[:, due] = self._draw_blocks(due).to(self._buffer.device)

    def renew(self, problem: int, step: int) -> None:
        """Draws anew for one problem, whose first step is `step`."""
        self._begun[problem], self._block[problem] = step, 0
        self._buffer[:, problem] = self._draw_blocks([problem])[:, 0].to(self._buffer.device)

    def at(self, count: Tensor) -> Tensor:
        """The numbers [P, ...] for the step `count` [P] of each problem, counted from 0."""
        return self._buffer[count % self._rows, self._problems]

    def _draw_blocks(self, problems: Sequence[int]) -> Tensor:
        """The blocks of some problems [steps of a block, problems, ...]; zeros where no step follows."""
        each = []
        for problem in problems:
            rows = min(self._rows, self._steps - self._block[problem] * self._rows)
            drawn = self._draw[problem](rows)
            each.append(torch.cat([drawn, drawn.new_zeros(self._rows - rows, *drawn.shape[1:])]))
        return torch.stack(each, dim=1)


class PartDraws:
    """Which parts of each problem's target the gradient of a step uses: `size` of them, or all if `size` is None."""

    def __init__(self, objective: Objective, size: int | None, steps: int, generators: Sequence[torch.Generator]):
        parts = objective.parts
        self._draws: Draws | None = None
        if size is not None and size < max(parts):
            each = [_subset(count, size, max(parts), own) for count, own in zip(parts, generators, strict=True)]
            self._draws = Draws(each, max(parts), steps, objective.space.device)

    def prepare(self, step: int) -> None:
        """See `Draws`."""
        if self._draws:
            self._draws.prepare(step)

    def renew(self, problem: int, step: int) -> None:
        """See `Draws`."""
        if self._draws:
            self._draws.renew(problem, step)

    def at(self, count: Tensor) -> Tensor | None:
        """bool [P, most parts] for the step `count` [P] of each problem, counted from 0; None if all parts are used."""
        return self._draws.at(count) if self._draws else None


def _subset(count: int, size: int, most: int, generator: torch.Generator) -> Callable[[int], Tensor]:
    """A function that draws `size` of the first `count` of `most` places, bool [n, most]; all of them, without drawing,
    if `size` is not smaller than `count`."""

    def draw(steps: int) -> Tensor:
        chosen = torch.zeros(steps, most, dtype=torch.bool)
        if size >= count:
            chosen[:, :count] = True
            return chosen
        order = torch.rand(steps, count, generator=generator).argsort(dim=1)
        return chosen.scatter_(1, order[:, :size], True)

    return draw
