"""What a search needs beside the weights, for programs that make room before it starts."""

from __future__ import annotations

from ..config import InversionConfig
from ..models.clip import ClipModel
from ..objectives.match import ROWS
from ..search.projection import ROWS as QUERIES
from ..text.vocabulary import Vocabulary
from ..towers import TextTower

_KEPT = 22  # numbers of a token's width that a layer keeps or passes through, at each position (measured: 16 to 20)


def search_bytes(model: ClipModel, config: InversionConfig) -> int:
    """Memory in bytes that a search with `model` takes on its device beside the model itself: a bound, not exact.

    Weights in half precision, the normalised vocabulary and its cosines, what the tower keeps for the
    gradient, the optimiser, the memory of what was tried.
    """
    return sum(_tower_bytes(tower, model.vocabulary, config) for tower in model.text.towers)


def _tower_bytes(text: TextTower, words: Vocabulary, config: InversionConfig) -> int:
    per_layer = 12 * text.width**2
    tower = sum(weight.numel() for weight in text.module.parameters()) - words.size * text.width
    halved = text.lean and config.precision != "fp32"
    fixed = len(words.encode_all([config.prefix + config.suffix])[0])
    positions = text.positions(config.length + fixed)
    prompts = config.restarts * (config.candidates if "swaps" in config.method else 1)
    rows = min(prompts * positions, max(ROWS, positions))
    kept = rows * _KEPT * text.width * tower // per_layer * 4
    cosines = min(config.restarts * config.length, QUERIES) * words.size * 4
    vocabulary = words.size * text.width * 4
    optimiser = 8 * config.restarts * config.length * text.width * 4
    tried = 2 * config.restarts * config.length * words.size
    return kept + cosines + vocabulary + optimiser + tried + (2 * tower if halved else 0)
