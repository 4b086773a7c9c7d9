"""The sources of a target: pictures and texts, each with a weight, before a model encodes them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import PezError, as_number, require, shorten
from ..models.clip import ClipModel
from ..towers.plain import plain_torch
from .pictures import as_rgb, check_size
from .target import Target, check_model, count_mismatch
from .views import Views, apply_mask

_WORD = re.compile(r"\w+(?:['’-]\w+)*")


@runtime_checkable
class Source(Protocol):
    """One kind of thing to match: a frozen dataclass with these two members.

    weight: how much it counts compared with others; below 0 pushes away.
    """

    @property
    def weight(self) -> float: ...

    def encoded(self, model: ClipModel) -> tuple[Tensor, Sequence[float]]:
        """Unit features float32 [B, F] on the CPU, and how much each of them counts within the source, B numbers.

        A source that needs the text towers calls `model.ready()` first.
        """
        ...


@dataclass(frozen=True)
class PictureSource:
    """Pictures that share a weight. A negative weight pushes away from them.

    `crops`, `flips`: whether the corners of each picture, and its mirror image, count in addition.
    """

    pictures: tuple[Image.Image, ...]
    weight: float = 1.0
    crops: bool = False
    flips: bool = False

    def __post_init__(self) -> None:
        if not self.pictures:
            raise PezError("No picture was given: connect or name at least one.")
        for picture in self.pictures:
            require(picture, Image.Image, "A picture of Pillow", "PictureSource.of takes files and arrays, too")
        _check_weight(self.weight)

    @classmethod
    def of(cls, pictures: Any, masks: Sequence[np.ndarray] | None = None, **settings: Any) -> PictureSource:
        """A source of anything that `pictures.as_rgb` accepts. `masks`: one [H, W] for each picture, or one for all.

        Raises PezError for pictures that cannot be used, and for a wrong number of masks.
        """
        rgb = as_rgb(pictures)
        if masks is not None:
            require(
                masks,
                (list, tuple, np.ndarray, Tensor),
                "A list of masks",
                "give one for all pictures, or one for each",
            )
            if len(masks) not in (1, len(rgb)):
                raise PezError(
                    f"{count_mismatch(len(rgb), 'mask', 'picture', len(masks))[:-1]}; one for all is enough."
                )
            rgb = [apply_mask(picture, _array(masks[i % len(masks)])) for i, picture in enumerate(rgb)]
            for picture in rgb:
                check_size(picture, "What the mask leaves")
        return cls(tuple(rgb), **settings)

    def encoded(self, model: ClipModel) -> tuple[Tensor, Sequence[float]]:
        """See `Source`. Views are created batch by batch, so memory does not grow with their number."""
        seen = Views(self.pictures, self.crops, self.flips)
        return model.image.encode(seen), seen.shares


@dataclass(frozen=True)
class TextSource:
    """A text with a weight. A text longer than the model's context is split; each part is weighted by its length."""

    text: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise PezError(f"{shorten(repr(self.text))} is not a text: give a string.")
        if not self.text.strip():
            raise PezError("The text to match is empty: give some words.")
        _check_weight(self.weight)

    def encoded(self, model: ClipModel) -> tuple[Tensor, Sequence[float]]:
        """See `Source`."""
        pieces = _pieces(model, self.text)
        shares = [max(len(ids), 1.0) for ids in model.vocabulary.encode_all(pieces)]
        return model.ready().encode_texts(pieces).cpu(), shares


def blend(groups: Sequence[Sequence[Source]], weights: Sequence[float]) -> tuple[Source, ...]:
    """The sources of all `groups`; the weights within each group are multiplied by that group's one in `weights`.

    Raises PezError for a wrong number of weights, and for weights that are not finite.
    """
    require(weights, Collection, "A list of weights", "give one for each group of sources")
    for group in groups:
        require(group, Collection, "A group of sources", "put a single one into a list")
    if len(weights) != len(groups):
        raise PezError(count_mismatch(len(groups), "weight", "target", len(weights)))
    for weight in weights:
        _check_weight(weight)
    return tuple(
        replace(cast(Any, source), weight=source.weight * weight)
        for group, weight in zip(groups, weights, strict=True)
        for source in group
    )


def one_for_each(sources: Sequence[Source]) -> list[tuple[Source, ...]]:
    """A blend for each picture of positive weight, with all other sources added; the blend itself if there is no such picture."""
    attracting = [s for s in sources if isinstance(s, PictureSource) and s.weight > 0]
    shared = tuple(s for s in sources if not any(s is each for each in attracting))
    alone = [replace(source, pictures=(picture,)) for source in attracting for picture in source.pictures]
    return [(each, *shared) for each in alone] or [tuple(sources)]


@plain_torch()
def make_target(model: ClipModel, sources: Source | Sequence[Source]) -> Target:
    """The target of a blend according to `model`, on the CPU.

    Raises PezError if there is no source, or the target cannot be made.
    """
    check_model(model)
    given: list[Any] = list(sources) if isinstance(sources, Sequence) and not isinstance(sources, str) else [sources]
    for source in given:
        require(source, Source, "A source", "give PictureSource.of(...) or TextSource(...)")
    if not given:
        raise PezError("There is nothing to match: give a picture or a text.")
    ordered = sorted(given, key=lambda each: isinstance(each, PictureSource))
    # Pictures are encoded first, so that the text towers, which the search needs next, are loaded last.
    encoded = [source.encoded(model) for source in reversed(ordered)][::-1]
    weights = [
        source.weight * share / sum(shares)
        for source, (_, shares) in zip(ordered, encoded, strict=True)
        for share in shares
    ]
    bare = (" ".join(_WORD.findall(each.text)) for each in given if isinstance(each, TextSource))  # without punctuation
    words = [word for text in bare for word in model.vocabulary.unknown_words(text)]
    named = shorten(", ".join(map(repr, dict.fromkeys(words))))
    said = f"{model.name} does not know {named} (in the text to match), so scores ignore the meaning."
    return Target(torch.cat([features for features, _ in encoded]), torch.tensor(weights), (said,) if words else ())


def _array(mask: Any) -> np.ndarray:
    return np.asarray(mask.detach().cpu() if isinstance(mask, Tensor) else mask)


def _check_weight(weight: Any) -> None:
    if not math.isfinite(as_number(weight)):
        raise PezError(f"A weight must be a finite number, not {shorten(repr(weight))}.")


def _pieces(model: ClipModel, text: str) -> list[str]:
    """The text in pieces of whole words that each fit the model's context."""
    vocabulary = model.vocabulary
    text = vocabulary.clean(text)
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
