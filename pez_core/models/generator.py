"""What a text-to-picture model must do to choose among prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

OnPass = Callable[[int, int], object]
"""Told after each forward pass, or batch of them, how many prompts have been read and of how many. Exceptions pass through."""


@dataclass(frozen=True)
class Noises:
    """Pairs of a noise and a time, the same for every prompt that is compared.

    count: how many pairs. seed: of the first noise; those that follow have the seeds that follow.
    """

    count: int
    seed: int

    @property
    def seeds(self) -> list[int]:
        """The seed of each noise, 0 to 2^64 - 1."""
        return [(self.seed + i) % 2**64 for i in range(self.count)]

    @property
    def times(self) -> list[float]:
        """The time of each pair, evenly spread in (0, 1): near 0 is nearly the picture, near 1 nearly noise. A generator takes
        them as shares of its own schedule."""
        return [(i + 0.5) / self.count for i in range(self.count)]


class Generator(Protocol):
    """A text-to-picture model that denoises by a prompt.

    name: for reports.
    """

    name: str

    def losses(self, prompts: Sequence[str], picture: Any, noises: Noises, on_pass: OnPass) -> Tensor:
        """Denoising losses float64 [noises.count, N] on the CPU of the picture under each of N prompts; '' is no prompt.

        For each pair of `noises` the picture is noised once, and the same noisy picture is denoised under every prompt. The
        loss is the mean squared error of the prediction. Whether that is of the clean picture, the noise or the velocity
        is of no importance: with the noisy picture fixed they differ by one factor, which `choose` divides away.

        picture: one, in the form that the generator takes.
        """
        ...
