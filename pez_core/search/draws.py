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
        self._block = 0
        # [steps of a block, P, ...]; overwritten in place, as CUDA graphs need
        self._buffer = self._draw_block().to(device)

    def prepare(self, step: int) -> None:
        """Draws the numbers for step `step`, counted from 0, if they are not drawn yet."""
        if step // self._rows > self._block:
            self._block = step // self._rows
            drawn = self._draw_block()
            self._buffer[: len(drawn)].copy_(drawn)

    def at(self, count: Tensor) -> Tensor:
        """The numbers [P, ...] for step `count` [], counted from 0."""
        return self._buffer.index_select(0, (count % self._rows).view(1))[0]

    def _draw_block(self) -> Tensor:
        rows = min(self._rows, self._steps - self._block * self._rows)
        return torch.stack([draw(rows) for draw in self._draw], dim=1)


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

    def at(self, count: Tensor) -> Tensor | None:
        """bool [P, most parts] for step `count` [], counted from 0; None if all parts are used."""
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
