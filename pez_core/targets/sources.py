"""What a target is made of: pictures and texts, each with a weight, before a model has looked at them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import PezError
from ..models.clip import ClipModel
from .pictures import as_rgb
from .target import Target
from .views import masked, views

OWN_SHARE = 0.5  # of a picture in its target, where crops or its mirror image have the rest


@dataclass(frozen=True)
class PictureSource:
    """Pictures that share a weight. A negative weight pushes away from them.

    `crops`, `flips`: whether the corners of each picture, and its mirror image, count as well as itself.
    """

    pictures: tuple[Image.Image, ...]
    weight: float = 1.0
    crops: bool = False
    flips: bool = False

    @classmethod
    def of(cls, pictures: Any, masks: Sequence[np.ndarray] | None = None, **settings: Any) -> PictureSource:
        """Of whatever `pictures.as_rgb` takes. `masks`: one [H, W] for each picture, or one for all.

        Raises PezError for pictures that cannot be used, and for another number of masks.
        """
        rgb = as_rgb(pictures)
        if masks is not None:
            if len(masks) not in (1, len(rgb)):
                raise PezError(f"{len(rgb)} pictures need {len(rgb)} masks, or one for all, not {len(masks)}.")
            rgb = [masked(picture, masks[i % len(masks)]) for i, picture in enumerate(rgb)]
            as_rgb(rgb)  # what the mask leaves may be too small
        return cls(tuple(rgb), **settings)


@dataclass(frozen=True)
class TextSource:
    """A text with a weight. One that is longer than a model reads counts piece by piece."""

    text: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise PezError("A text target is empty: give some words.")


Source = PictureSource | TextSource


def blend(groups: Sequence[Sequence[Source]], weights: Sequence[float]) -> tuple[Source, ...]:
    """The sources of all `groups`, the weights of each group multiplied by its own of `weights`.

    Raises PezError for another number of weights, and for ones that are not finite.
    """
    if len(weights) != len(groups):
        raise PezError(f"{len(groups)} targets need {len(groups)} weights, not {len(weights)}.")
    if not all(map(math.isfinite, weights)):
        raise PezError(f"Weights must be finite numbers, not {list(weights)}.")
    return tuple(
        replace(source, weight=source.weight * weight)
        for group, weight in zip(groups, weights, strict=True)
        for source in group
    )


def one_for_each(sources: Sequence[Source]) -> list[tuple[Source, ...]]:
    """A blend for each picture that attracts, everything else being in all of them; one where there is no such."""
    attracting = [s for s in sources if isinstance(s, PictureSource) and s.weight > 0]
    shared = tuple(s for s in sources if not any(s is each for each in attracting))
    alone = [replace(source, pictures=(picture,)) for source in attracting for picture in source.pictures]
    return [(each, *shared) for each in alone] or [tuple(sources)]


def make_target(
    model: ClipModel,
    sources: Sequence[Source],
    encode_images: Callable[[Sequence[Image.Image]], Tensor] | None = None,
) -> Target:
    """The target of a blend in the eyes of `model`, on the CPU. `encode_images`: in place of the model's own.

    Raises PezError where there is no source, or the target cannot be made.
    """
    if not sources:
        raise PezError("There is nothing to match: give a picture or a text.")
    encode_images = encode_images or model.encode_images
    features, weights = [], []
    for source in sorted(sources, key=lambda each: isinstance(each, PictureSource)):  # texts before memory is short
        if isinstance(source, PictureSource):
            seen, shares = [], []
            for picture in source.pictures:
                others = views(picture, source.crops, source.flips)
                seen += [picture, *others]
                shares += [OWN_SHARE if others else 1.0, *[(1 - OWN_SHARE) / len(others) for _ in others]]
            features.append(encode_images(seen).cpu())
        else:
            pieces = _pieces(model, source.text)
            shares = [max(len(ids), 1.0) for ids in model.vocabulary.encode_all(pieces)]
            features.append(model.encode_texts(pieces).cpu())
        weights += [source.weight * share / sum(shares) for share in shares]
    return Target(torch.cat(features), torch.tensor(weights))


def _pieces(model: ClipModel, text: str) -> list[str]:
    """The text, in pieces of whole words that each fit the model's context."""
    vocabulary = model.vocabulary
    text = vocabulary.cleaned(text)
    if len(vocabulary.encode(text)) <= vocabulary.room:
        return [text]
    pieces: list[list[str]] = [[]]
    room = vocabulary.room
    for word, ids in zip(text.split(), vocabulary.encode_all(text.split()), strict=True):
        if len(ids) > room and pieces[-1]:
            pieces.append([])
            room = vocabulary.room
        pieces[-1].append(word)
        room -= len(ids)
    return [" ".join(words) for words in pieces]
