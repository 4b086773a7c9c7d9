"""How well given texts match a target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import PezError, shorten
from .models.clip import ClipModel
from .targets.target import Target, check_target
from .towers.plain import plain_torch


@dataclass(frozen=True)
class Score:
    """How well a text matches a target.

    similarity: to the whole target, -1 to 1. each: to each of its features (pictures, views, texts), in order.
    parts: for a combined model, the similarity according to each of its models, by name; else empty.
    """

    text: str
    similarity: float
    each: tuple[float, ...]
    parts: dict[str, float]


@plain_torch()
def score(model: ClipModel, texts: Sequence[str], target: Target) -> list[Score]:
    """The scores of the texts, in order, in float32.

    Raises PezError for a text that does not fit the model's context, for a single text that is not in a list, and for
    a target of another model.

    Example:
        >>> model = load_model()
        >>> score(model, ["a penguin", "a dog"], Target.from_images(model, "penguin.png"))[0].similarity
    """
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise PezError(f"score takes a list of texts, not {shorten(repr(texts))}: put a single text into a list.")
    texts = list(texts)
    check_target(target, model)
    if not texts:
        return []
    features = model.ready().encode_texts(texts)
    each = (features @ target.features.to(features.device).T).tolist()
    whole = target.similarity(features).tolist()
    parts = target.by_part(features, model.parts)
    return [
        Score(text, similarity, tuple(cosines), seen)
        for text, similarity, cosines, seen in zip(texts, whole, each, parts, strict=True)
    ]
