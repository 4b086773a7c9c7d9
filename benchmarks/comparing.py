"""Compares ways to a prompt on the same pictures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.judges import JUDGES, known_styles


def paired_gain(values: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """The mean difference of two measures of the same pictures, at least two, and its standard error."""
    apart = [value - other for value, other in zip(values, others, strict=True)]
    return statistics.mean(apart), statistics.stdev(apart) / len(apart) ** 0.5


def knows(judge: str, style: str | None) -> bool:
    """Whether a judge was trained on a style. Models that are no judges of this repository know every style, and a picture
    without one is known to all."""
    return style is None or judge not in JUDGES or style in known_styles(judge)
