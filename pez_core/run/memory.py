"""The memory that a search needs besides the weights, for programs that make room before it starts."""

from __future__ import annotations

from ..config import InversionConfig
from ..models.clip import ClipModel
from ..objectives.match import POSITIONS
from ..search.draws import BYTES as DRAWS
from ..search.methods import METHODS
from ..search.projection import ROWS as QUERIES
from ..search.readable import SLACK
from ..search.readable import TOGETHER as READ
from ..text.vocabulary import Vocabulary
from ..towers import TextTower

_KEPT = 22  # vectors of a token's width that a layer keeps or creates at each position (measured: 16 to 20)
_MOMENTS = 8  # vectors of a token's width that the descents keep for each searched token
_TABLES = 2  # copies of the vocabulary: normalized for projections or as it is for rankings, and one while creating it


def search_bytes(model: ClipModel, config: InversionConfig, problems: int = 1) -> int:
    """Bytes that a search with `model` takes on its device besides the model itself: an upper bound, not exact.

    problems: how many are searched side by side.

    It follows from the costs that the method's searches state: weights in half precision, the vocabulary and its
    cosines, what the tower keeps for the gradient, the optimizer, the record of tried swaps, random numbers.
    """
    return problems * DRAWS + sum(
        _tower_bytes(tower, model.vocabulary, config, problems) for tower in model.text.towers
    )


def _tower_bytes(text: TextTower, words: Vocabulary, config: InversionConfig, problems: int) -> int:
    per_layer = 12 * text.width**2
    tower = sum(weight.numel() for weight in text.module.parameters()) - words.size * text.width
    halved = text.lean and config.precision != "fp32"
    fixed = len(words.encode_all([config.prefix + " " + config.suffix])[0])
    stages = METHODS[config.method].stages(config)
    prompts = problems * max(stage.restarts * stage.cost(config, words.size).most for stage in stages)
    rows = _rows(text, prompts, config.length + fixed)
    if config.readability:  # little words make prompts longer, and one problem is read at a time
        own = max((len(words.encode(text)) for text in config.own_texts), default=0)
        rows = max(rows, _rows(text, READ * config.depth, min(max(SLACK * config.length, own) + fixed, words.room)))
    kept = rows * _KEPT * text.width * tower // per_layer * 4
    searched = problems * config.restarts * config.length
    cosines = min(searched, QUERIES) * words.size * 4
    vocabulary = _TABLES * words.size * text.width * 4
    optimizer = _MOMENTS * searched * text.width * 4
    tried = 3 * searched * words.size  # before and after a step, and what is new
    return kept + cosines + vocabulary + optimizer + tried + (2 * tower if halved else 0)


def _rows(text: TextTower, prompts: int, length: int) -> int:
    """Positions that the tower computes at once for this many prompts of `length` tokens."""
    positions = text.positions(length)
    return min(prompts * positions, max(POSITIONS, positions))
