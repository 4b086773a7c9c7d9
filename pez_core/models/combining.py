"""Several CLIPs as one model, to search one prompt for all of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import chain, count

from PIL import Image
from torch import Tensor

from ..errors import PezError, as_number, require
from ..towers import JointTextTower, join
from .clip import ClipModel, Part, SinglePictureEncoder
from .fingerprint import fingerprints


class JointImageTower:
    """Image towers side by side; each is on its device only while it encodes."""

    def __init__(self, towers: Sequence[SinglePictureEncoder], shares: Sequence[float]):
        self.towers = tuple(towers)
        self._shares = tuple(shares)

    def encode(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit features float32 [B, F] of RGB pictures, on the CPU."""
        return join([tower.encode(pictures) for tower in self.towers], self._shares)


def combine(models: Sequence[ClipModel], weights: Sequence[float] | None = None) -> ClipModel:
    """Combines models that share a tokenizer into one; its similarity is the mean of theirs, weighted by `weights`.

    One sequence of tokens is searched for all of them: projected to the tokens with the largest sum of cosines over
    the models' embeddings, and swapped by the sum of the gradients.

    The combined model shares the towers of its parts, including their placements. The parts may be moved
    separately, but must be on the same device when something is computed.

    Raises PezError for fewer than two models, weights that are not above 0, and models that read text
    differently.
    """
    require(models, Collection, "A list of models", "give two or more that load_model has loaded")
    for model in models:
        require(model, ClipModel, "A model", "load one with load_model")
    models = list(models)
    if weights is not None:
        require(weights, Collection, "A list of weights", "give one for each model")
    weights = [1.0] * len(models) if weights is None else list(weights)
    if len(models) < 2:
        raise PezError(f"Combining needs at least two models, got {len(models)}: load another one.")
    if len(weights) != len(models) or not all(0 < as_number(weight) < math.inf for weight in weights):
        raise PezError(f"Expected {len(models)} weights above 0 for {len(models)} models, got {weights}.")
    names = [part.name for model in models for part in model.parts]
    if len(set(names)) < len(names) and _has_one_twice(models):  # files in two folders may have one name
        raise PezError(f"Each model may be combined only once: {' + '.join(names)} has one twice.")
    first, *others = models
    for other in others:
        if not first.vocabulary.reads_like(other.vocabulary):
            raise PezError(
                f"{first.name} and {other.name} split text into different tokens: combine models that share "
                "a tokenizer, such as ViT-L-14, ViT-H-14 and ViT-bigG-14."
            )
    vocabulary = first.vocabulary
    for other in others:
        vocabulary = vocabulary.known_to_both(other.vocabulary)
    weights = [as_number(weight) for weight in weights]
    whole = sum(weights)
    parts: list[Part] = []
    for model, weight in zip(models, weights, strict=True):
        for part in model.parts:
            parts.append(Part(_new_name(part.name, parts), part.width, part.share * weight / whole))
    shares = [part.share for part in parts]
    images = [tower for model in models for tower in model.image.towers]
    texts = [tower for model in models for tower in model.text.towers]
    name = " + ".join(model.name for model in models)
    return ClipModel(JointImageTower(images, shares), JointTextTower(texts, shares), vocabulary, name, parts)


def _new_name(name: str, parts: Sequence[Part]) -> str:
    taken = {part.name for part in parts}
    return next(each for each in chain([name], (f"{name} ({number})" for number in count(2))) if each not in taken)


def _has_one_twice(models: Sequence[ClipModel]) -> bool:
    known = [each for model in models for each in fingerprints(model)]
    return len(set(known)) < len(known)
