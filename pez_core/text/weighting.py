"""Prompts in ComfyUI's weighted form: each word as strong as it contributes."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

from ..errors import PezError
from .comfyui import escape_for_comfyui

LEAST, MOST = 0.8, 1.3
"""The weights of the words that contribute least and most: beyond about these, generators begin to distort pictures."""

_ROUNDING = 1e-6  # contributions closer than this are equal: they are differences of cosines in float32
_WORD = re.compile(r"\S+")
Share = tuple[int, int, float]
"""A part of a text: its first character, the one after its last, how much it contributes."""


def weighted_for_comfyui(text: str, shares: Sequence[Share], least: float = LEAST, most: float = MOST) -> str:
    """The text for CLIP Text Encode with a weight on each word, `(word:1.2)`; its own parentheses are escaped.

    A word that contributes as much as the words do on average keeps the weight 1 and is written plainly. The word above it that
    contributes most has the weight `most`, the one below it that contributes least the weight `least`, the others in proportion. A
    word is what stands between spaces; it contributes what its tokens do together.

    Args:
        shares: what the tokens contribute, in any order; for a `Token` its start, end and contribution.
        least: 0.5 to 1. most: 1 to 2. Where both are 1 the result is the escaped text.

    Raises:
        PezError: a weight out of range, and text that cannot be escaped.

    Example:
        >>> weighted_for_comfyui("a red fox", [(0, 1, 0.0), (2, 5, 0.1), (6, 9, 0.2)])
        '(a:0.80) red (fox:1.30)'
    """
    if not 0.5 <= least <= 1 or not 1 <= most <= 2:
        raise PezError(f"Weights go from a least of 0.5 to 1 up to a most of 1 to 2, not from {least:g} to {most:g}.")
    escape_for_comfyui(text)  # refuses what has a special meaning, which no part of it shows
    words = list(_WORD.finditer(text))
    if not words:
        return text
    each = [sum(value for start, _, value in shares if word.start() <= start < word.end()) for word in words]
    if max(each) - min(each) < _ROUNDING:
        each = [0.0] * len(each)
    middle = statistics.mean(each)
    above, below = max(each) - middle, middle - min(each)
    weights = [
        1 + (most - 1) * (value - middle) / (above or 1)
        if value > middle
        else 1 - (1 - least) * (middle - value) / (below or 1)
        for value in each
    ]
    made, done = [], 0
    for word, weight in zip(words, weights, strict=True):
        made += [text[done : word.start()], _weighted(escape_for_comfyui(word[0]), f"{weight:.2f}")]
        done = word.end()
    return "".join([*made, text[done:]])


def _weighted(word: str, weight: str) -> str:
    return word if weight == "1.00" else f"({word}:{weight})"
