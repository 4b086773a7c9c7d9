"""How property tests run, and what they draw: configurations, texts, pictures, masks, targets.

`make test` draws few examples, always the same. A thousand new ones for a property that takes as long as most:

    PEZ_PROPERTIES=1000 python -m pytest tests/core/test_properties.py
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from PIL import Image

from pez_core.search import METHODS

FEW = 12
_MANY = int(os.environ.get("PEZ_PROPERTIES", "0"))
settings.register_profile(
    "pez",
    max_examples=_MANY or FEW,
    derandomize=not _MANY,
    database=None,
    deadline=None,  # machines may be slow
    suppress_health_check=list(HealthCheck),  # models are shared by the examples
)
settings.load_profile("pez")


def times(factor: float) -> settings:
    """Settings for a property whose examples take less (above 1) or more time than the others'."""
    return settings(max_examples=max(1, math.ceil((_MANY or FEW) * factor)))


WORDS = (
    "penguin",
    "red",
    "bird",
    "sunset",
    "sky",
    "don't",
    "oil",
    "painting",
    "2",
    "hair",
    "(blue)",
    "a",
    "cat",
    "dog",
)
plain = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)
odd = st.text(max_size=12) | st.sampled_from(
    ["猫", "🐧", "e\u0301", "“x”", "&amp;", "ﬁne", "<|endoftext|>", "\ud800", "\0"]
)
texts = plain | odd | st.tuples(plain, odd).map(" ".join)
bans = st.sampled_from(WORDS) | st.sampled_from(["*bird", "sun*", "*a*", "e", "the*"]) | odd
seeds = st.integers(0, 2**64 - 1)


def searches(**fixed: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Small searches: fields of InversionConfig. Most are possible, some are not."""
    drawn = {
        "length": st.integers(1, 6),
        "steps": st.integers(1, 5),
        "restarts": st.integers(1, 3),
        "seed": seeds,
        "method": st.sampled_from(list(METHODS)),
        "prefix": st.just("") | texts,
        "suffix": st.just("") | texts,
        "banned": st.lists(bans, max_size=2).map(tuple),
        "keep": st.lists(st.sampled_from(WORDS) | odd, max_size=1).map(tuple),
        "words": texts,
        "start": st.sampled_from(["random", "random", "words"]),
        "vocabulary": st.sampled_from(["dictionary", "words", "any"]),
        "swap_from": st.sampled_from(["found", "any"]),
        "batch_size": st.none() | st.integers(1, 3),
        "patience": st.none() | st.integers(1, 3),
        "explore": st.integers(1, 3),
        "halving": st.integers(1, 2),
        "candidates": st.integers(1, 6),
        "top": st.integers(1, 6),
        "learning_rate": st.none() | st.floats(1e-3, 10),
        "weight_decay": st.floats(0, 1),
    }
    return st.fixed_dictionaries({**{name: each for name, each in drawn.items() if name not in fixed}}).map(
        lambda found: {**found, **fixed}
    )


arbitrary = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=4)
    | st.sampled_from([10**400, math.nan, object(), int, {}, {"a": 1}, np.float32(1), np.int64(5), 1 + 2j, range(3)])
    | st.lists(st.text(max_size=5) | st.integers(), max_size=3)
)
"""What a setting may be given by mistake."""


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    """Pictures as arrays, of kinds and sizes that can be read and of some that cannot."""
    shape = [
        *draw(st.lists(st.integers(0, 24), max_size=2)),
        draw(st.integers(1, 24)),
        draw(st.sampled_from([1, 3, 4, 5])),
    ]
    kind = draw(st.sampled_from(["u1", "u2", ">u2", "f4", "f8", "f2", "?", "i4", "c8", "U1", "O"]))
    numbers = np.random.default_rng(draw(st.integers(0, 9))).random(shape)
    if draw(st.booleans()) and numbers.size:
        numbers.flat[0] = draw(st.sampled_from([math.nan, math.inf, -0.1, -0.5, 1.5, 3.0, 255.0]))
    with np.errstate(all="ignore"):
        return (numbers * (255 if kind == "u1" else 65535 if kind in ("u2", ">u2", "i4") else 1)).astype(kind)


def picture(seed: int, side: int = 24) -> Image.Image:
    """Colored squares."""
    shades = np.random.default_rng(seed).integers(0, 255, (3, 3, 3), dtype=np.uint8)
    return Image.fromarray(shades).resize((side, side), Image.Resampling.NEAREST)
