"""Calibration: numbers that keep a language model from naming one label far too readily.

A small model says "great" after most texts, whatever they say. A shift for each label takes that away.

Letters of shapes: E texts, C labels.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from ..targets.labelled import Examples

ROUNDS = 12  # in a step of a search
EXACT_ROUNDS = 200


def shifts_for(said: Tensor, shares: Tensor, rounds: int = EXACT_ROUNDS) -> Tensor:
    """The shifts [..., C] with which the mean probabilities of labels over texts are `shares`. Their mean is 0.

    said: log-probabilities [..., E, C] of the labels of E texts. shares: float [C], above 0, of sum 1.

    Where `shares` are those of the right labels, no other shifts make these more probable: they are the intercepts of a
    logistic regression. Found by iterative scaling.
    """
    shifts = torch.zeros_like(said[..., 0, :])
    texts = torch.full((), said.shape[-2], device=said.device).log()
    for _ in range(rounds):
        means = (said + shifts[..., None, :]).log_softmax(-1).logsumexp(-2) - texts
        shifts = shifts + shares.log() - means
    return shifts - shifts.mean(-1, keepdim=True)


def shares_of(examples: Examples) -> Tensor:
    """The shares float [C] of the labels among some texts, as if each had one text more: none is 0."""
    count = Counter(examples.labels)
    each = torch.tensor([count[label] + 1.0 for label in range(len(examples.names))])
    return each / each.sum()
