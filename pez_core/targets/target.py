"""What a prompt should match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import PezError, require
from ..models.clip import ClipModel, Part
from ..towers.plain import plain_torch
from .pictures import as_rgb

LEAST_LENGTH = 1e-4  # of the weighted sum of features; rounding alone leaves up to 1e-6


@dataclass(frozen=True, eq=False)
class Target:
    """Unit features [B, F] in a model's joint space, with weights [B] whose absolute values sum to 1.

    A text with unit feature f has the similarity sum_i weights[i] * (features[i] . f), in -1..1. A
    negative weight pushes away from its picture. Targets are compared by identity.

    warnings: what a person should know of it, in sentences; those of a search with it are the same.

    Raises PezError when features or weights are not finite, do not match in number, are all zero, or cancel.
    """

    features: Tensor
    weights: Tensor
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        features = self.features.detach().float()
        weights = self.weights.detach().float().to(features.device)
        if features.ndim != 2 or weights.shape != features.shape[:1] or not len(features):
            raise PezError(
                f"A target needs features [B, F] and B weights, not shapes {tuple(features.shape)} and {tuple(weights.shape)}."
            )
        if not torch.isfinite(features).all() or not torch.isfinite(weights).all():
            raise PezError("The target's features or weights are not finite numbers: check picture, model and weights.")
        if (features.norm(dim=-1) == 0).any() or not weights.any():
            raise PezError("All weights are 0: give at least one that is not.")
        features = F.normalize(features, dim=-1)
        if not torch.isfinite(weights.abs().sum()):
            weights = weights / weights.abs().max()
        weights = weights / weights.abs().sum()
        if (weights @ features).norm() < LEAST_LENGTH:
            raise PezError(
                "The parts of the target cancel out: nothing is left to match. Change a weight, a picture or a text."
            )
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "weights", weights)

    @classmethod
    @plain_torch()
    def from_images(cls, model: ClipModel, images: Any, weights: Sequence[float] | None = None) -> Target:
        """The target of one or several pictures (see `pictures.as_rgb`), equally weighted by default."""
        rgb = as_rgb(images)
        chosen = [1.0] * len(rgb) if weights is None else list(weights)
        if len(chosen) != len(rgb):
            raise PezError(count_mismatch(len(rgb), "weight", "picture", len(chosen)))
        return cls(model.encode_images(rgb), torch.tensor(chosen))

    def split(self) -> list[Target]:
        """Each feature as a separate target, without its weight."""
        return [Target(feature[None], torch.ones(1, device=feature.device)) for feature in self.features]

    def check(self, model: ClipModel) -> None:
        """Raises PezError if the target is of another model: its features have another length. And for what is no model."""
        check_model(model)
        own, its = self.features.shape[1], model.text.features
        if own != its:
            raise PezError(
                f"The target has features of length {own}, the model {model.name} has {its}: make the target with the "
                "same model."
            )

    def __len__(self) -> int:
        return len(self.features)

    def by_part(self, texts: Tensor, parts: Sequence[Part]) -> list[dict[str, float]]:
        """For each of the unit text features [N, F], its similarity according to each of the model's `parts`, by name.

        Empty for a model with a single part.
        """
        if len(parts) == 1:
            return [{} for _ in texts]
        widths = [part.width for part in parts]
        towards = (self.weights @ self.features).to(texts.device).split(widths)
        seen = zip(parts, texts.float().split(widths, dim=-1), towards, strict=True)
        columns = {part.name: (own @ toward / part.share).tolist() for part, own, toward in seen}
        return [{name: values[i] for name, values in columns.items()} for i in range(len(texts))]

    def similarity(self, texts: Tensor) -> Tensor:
        """Similarity [N], in -1..1, of unit text features [N, F]."""
        return texts.float() @ (self.weights @ self.features).to(texts.device)


def count_mismatch(count: int, what: str, whose: str, given: int) -> str:
    """An error that the number of things is wrong: "Expected 1 weight for 1 target, got 2."."""
    things, owners = (f"{count} {name}{'' if count == 1 else 's'}" for name in (what, whose))
    return f"Expected {things} for {owners}, got {given}."


def check_model(model: Any) -> None:
    """Raises PezError for what is no model."""
    require(model, ClipModel, "A model", "load one with load_model")


def check_target(target: Any, model: Any) -> None:
    """Raises PezError for what is no target or no model, and for a target of another model."""
    require(target, Target, "A target", "make one with make_target")
    target.check(model)
