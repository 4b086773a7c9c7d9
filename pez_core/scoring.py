"""How well given texts match a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .models.clip import ClipModel
from .targets.target import Target


@dataclass(frozen=True)
class Score:
    """A text's similarity to a target; to `each` of its features (pictures, views, texts) in turn; and, where
    the model is made of several, in the eyes of each of these, by name (`parts`, else empty)."""

    text: str
    similarity: float
    each: tuple[float, ...]
    parts: dict[str, float]


def score(model: ClipModel, texts: Sequence[str], target: Target) -> list[Score]:
    """The score of every text, in their order.

    Raises PezError for a text that does not fit the model's context.
    """
    if not texts:
        return []
    features = model.encode_texts(texts)
    each = (features @ target.features.to(features.device).T).tolist()
    whole = target.similarity(features).tolist()
    parts = target.by_part(features, model.parts)
    return [
        Score(text, similarity, tuple(cosines), seen)
        for text, similarity, cosines, seen in zip(texts, whole, each, parts, strict=True)
    ]
