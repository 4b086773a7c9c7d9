"""A CLIP model as the rest of the library sees it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor, nn

from ..errors import PezError
from ..text.vocabulary import Vocabulary
from ..towers import JointTextTower, TextTower
from ..towers.image_tower import ImageTower


@dataclass(frozen=True)
class Part:
    """A CLIP among those that a model is made of; its features are `width` long, and `share` is its part of
    every similarity. All shares sum to 1. A feature of the model is made of the parts' unit features, one
    behind the other, each times the square root of its share: so it is of unit length again."""

    name: str
    width: int
    share: float


class PictureEncoder(Protocol):
    """What a model needs of an image tower. `towers`: those that it is made of, or itself."""

    @property
    def towers(self) -> Sequence[PictureEncoder]: ...

    def encode(self, pictures: Sequence[Image.Image], device: torch.device) -> Tensor:
        """Unit features float32 [B, F] of RGB pictures, on `device`."""
        ...


class ClipModel:
    """Image tower, text tower and vocabulary.

    `name`: how the model was chosen, for messages and results. `parts`: the CLIPs that it is made of, one
    unless several were combined.
    """

    def __init__(
        self,
        image: PictureEncoder,
        text: TextTower | JointTextTower,
        vocabulary: Vocabulary,
        name: str,
        parts: Sequence[Part] = (),
    ):
        self.image, self.text, self.vocabulary, self.name = image, text, vocabulary, name
        self.parts = tuple(parts) or (Part(name, text.features, 1.0),)

    @classmethod
    def of_open_clip(
        cls, module: nn.Module, preprocess: Callable[[Image.Image], Tensor], vocabulary: Vocabulary, name: str
    ) -> ClipModel:
        """The open_clip model `module`, in float32; its parameters are frozen. It is taken apart: the towers
        share its weights and are moved one by one.

        `preprocess`: RGB picture to float32 [3, S, S], as the model was trained.

        Raises PezError when the text tower cannot be searched.
        """
        module.eval()
        image = ImageTower(_part(module, lambda child: child == "visual"), preprocess, name)
        return cls(image, TextTower(_part(module, lambda child: child != "visual"), vocabulary, name), vocabulary, name)

    @property
    def device(self) -> torch.device:
        """Where it computes: the text tower is there, the image tower comes when pictures are encoded."""
        return self.text.device

    def to(self, device: torch.device | str) -> ClipModel:
        """Moves the text tower; returns self."""
        for tower in self.text.towers:
            tower.module.to(device)
        return self

    def encode_images(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit features float32 [B, F] of RGB pictures. Many at once move the image tower only once."""
        return self.image.encode(pictures, self.device)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit features float32 [N, F] of texts, tokenised afresh, at full length.

        Raises PezError for a text that does not fit the model's context.
        """
        rows = []
        for text, ids in zip(texts, self.vocabulary.encode_all(texts), strict=True):
            if len(ids) > self.vocabulary.room:
                raise PezError(
                    f"The text {shorten(text)!r} has {len(ids)} tokens, {self.name} reads {self.vocabulary.room}: shorten it."
                )
            rows.append(self.vocabulary.rows(torch.tensor([ids], dtype=torch.long)))
        return self.text.encode(torch.cat(rows).to(self.device))


def _part(module: nn.Module, keep: Callable[[str], bool]) -> nn.Module:
    """The model less some of its children: a module that can be moved by itself and shares the weights."""
    part = copy.copy(module)
    part._modules = {name: child for name, child in module._modules.items() if keep(name)}
    own = keep("")  # positions, projections and the like belong to the text
    part._parameters = dict(module._parameters) if own else {}
    part._buffers = dict(module._buffers) if own else {}
    return part


def shorten(text: str, most: int = 60) -> str:
    """The text, or its beginning with an ellipsis, for messages."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
