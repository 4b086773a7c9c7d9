"""What a language model expects after the beginnings of texts."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Following(NamedTuple):
    """Log-probabilities, all float32, after M beginnings of texts.

    tokens: [M, V], of each next token; -inf for one that ends a text. end: [M], of the end. said: [M], of the beginning itself.
    """

    tokens: Tensor
    end: Tensor
    said: Tensor


def said_until(steps: Tensor) -> Tensor:
    """The log-probabilities [N, L + 1] of the first 0 to L tokens of texts, from those of their tokens [N, L]."""
    return torch.cat([steps.new_zeros(len(steps), 1), steps.cumsum(1)], dim=1)
