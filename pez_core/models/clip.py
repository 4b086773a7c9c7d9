"""The interface of a CLIP model for the rest of the library."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor, nn

from ..errors import PezError, shorten
from ..text.vocabulary import Vocabulary
from ..towers import JointTextTower, TextTower
from ..towers.image_tower import ImageTower
from ..towers.placement import MovePlacement, Placement
from ..towers.plain import plain_torch, replace_inference_tensors

TEXTS_AT_ONCE = 256  # full-length rows in one batch of the text tower: bounds memory


@dataclass(frozen=True)
class Part:
    """One CLIP of a model. `width`: the length of its features; `share`: how much it counts in each similarity.

    The shares of all parts sum to 1. A feature of the model is the parts' unit features, each multiplied by
    the square root of its share and concatenated: the result has unit length.
    """

    name: str
    width: int
    share: float


class PictureEncoder(Protocol):
    """What a model needs from the image towers of its parts."""

    @property
    def towers(self) -> Sequence[SinglePictureEncoder]:
        """Those of its parts, or itself."""
        ...

    def encode(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit features float32 [B, F] of RGB pictures, on the CPU."""
        ...


class SinglePictureEncoder(PictureEncoder, Protocol):
    """An image tower. `module`: what has its weights."""

    @property
    def module(self) -> nn.Module: ...


class ClipModel:
    """Image tower, text tower and vocabulary.

    Args:
        image, text: the towers; each has its own placement (see `place`).
        vocabulary: the tokens of the text tower.
        name: as the model was chosen, for messages and results.
        parts: its CLIPs; one unless several were combined.
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

    def __repr__(self) -> str:
        return f"ClipModel({self.name})"

    @classmethod
    @plain_torch()
    def of_open_clip(
        cls, module: nn.Module, preprocess: Callable[[Image.Image], Tensor], vocabulary: Vocabulary, name: str
    ) -> ClipModel:
        """The open_clip model `module`, in float32; its parameters are frozen.

        Its towers share its weights and can be moved separately.

        `preprocess`: RGB picture to float32 [3, S, S], as in the model's training.

        Raises PezError when the text tower cannot be searched.
        """
        module.eval()
        text = TextTower(_part(module, lambda child: child != "visual"), vocabulary, name)
        image = ImageTower(_part(module, lambda child: child == "visual"), preprocess, name)
        return cls(image, text, vocabulary, name)

    @property
    def device(self) -> torch.device:
        """The device of the text tower. The image tower is there only while pictures are encoded."""
        return self.text.device

    def place(self, placement: Placement) -> ClipModel:
        """Lets `placement` decide where the towers compute; returns self. Models that share towers also share it.

        Nothing moves until it is needed. Image towers of other kinds than ImageTower are not affected.
        """
        for image in self.image.towers:
            if isinstance(image, ImageTower):
                image.placement = placement
        for text in self.text.towers:
            text.placement = placement
        return self

    def to(self, device: torch.device | str) -> ClipModel:
        """Computes on `device` from now on: the text tower moves there at once. Returns self."""
        return self.place(MovePlacement(torch.device(device))).ready()

    @plain_torch()
    def ready(self, room_bytes: int = 0) -> ClipModel:
        """Moves the text towers to where they compute, with `room_bytes` free in addition; returns self.

        Call it before searching or scoring. It is quick if nothing has to move.
        """
        brought: dict[Placement, list[nn.Module]] = {}
        for tower in self.text.towers:
            brought.setdefault(tower.placement, []).append(tower.module)
        for placement, modules in brought.items():
            placement.bring(modules, room_bytes)
            for module in modules:
                replace_inference_tensors(module)  # they may have been moved under inference mode
        return self

    @plain_torch()
    def encode_images(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit features float32 [B, F] of RGB pictures, on the model's device.

        One call with many pictures moves the image tower only once.
        """
        return self.image.encode(pictures).to(self.device)

    @plain_torch()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit features float32 [N, F] of texts, tokenized here, at full length, on the model's device.

        Raises PezError for a text that does not fit the model's context, and for anything that is not a list of texts.
        """
        texts = texts if isinstance(texts, str) else list(texts)
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise PezError(f"A list of texts is needed, not {shorten(repr(texts))}: put a single text into a list.")
        rows = [torch.zeros(0, self.vocabulary.context_length, dtype=torch.long)]
        for text, ids in zip(texts, self.vocabulary.encode_all(texts), strict=True):
            if len(ids) > self.vocabulary.room:
                raise PezError(
                    f"The text {shorten(text)!r} has {len(ids)} tokens, {self.name} reads {self.vocabulary.room}: shorten it."
                )
            rows.append(self.vocabulary.rows(torch.tensor([ids], dtype=torch.long)))
        return self._encode_rows(torch.cat(rows))

    def _encode_rows(self, rows: Tensor) -> Tensor:
        """Unit features [N, F] of rows int64 [N, context_length], in batches that fit into the device's memory."""
        device, together = self.device, TEXTS_AT_ONCE
        features = [torch.zeros(0, self.text.features, device=device)]
        while len(rows):
            try:
                features.append(self.text.encode(rows[:together].to(device)))
                rows = rows[together:]
                continue
            except torch.cuda.OutOfMemoryError as error:
                together = min(together, len(rows)) // 2
                if not together:
                    raise PezError(
                        f"Not enough memory on {device} to encode a text with {self.name}: free some, or use a smaller "
                        "model or another device."
                    ) from error
            torch.cuda.empty_cache()  # here, where the error no longer keeps tensors alive
        return torch.cat(features)


def _part(module: nn.Module, keep: Callable[[str], bool]) -> nn.Module:
    """The model with some of its children, sharing their weights: a module that can be moved separately."""
    part = copy.copy(module)
    part._modules = {name: child for name, child in module._modules.items() if keep(name)}
    own = keep("")  # positions, projections and so on belong to the text tower
    part._parameters = dict(module._parameters) if own else {}
    part._buffers = dict(module._buffers) if own else {}
    return part
