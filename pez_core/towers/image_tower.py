"""A model's image tower: pictures in, unit features out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .placement import MovePlacement, Placement, device_of

log = logging.getLogger(__name__)

BATCH = 16  # pictures encoded at once: bounds memory at no cost in speed
ROOM = 2**29  # bytes: upper bound of what a batch takes in the tower


class ImageTower:
    """Encodes pictures with `module`, which has open_clip's `encode_image`, in float32; its parameters are frozen.

    `preprocess`: RGB picture to float32 [3, S, S], as in the model's training. `name` is used in messages.

    Attributes:
        module: the model's image half.
        placement: decides where it computes; it is moved there only while it encodes.
    """

    placement: Placement

    def __init__(self, module: nn.Module, preprocess: Callable[[Image.Image], Tensor], name: str):
        self.module = module.requires_grad_(False)
        self.placement = MovePlacement(device_of(module))
        self._preprocess = preprocess
        self._name = name

    @property
    def towers(self) -> tuple[ImageTower, ...]:
        """Itself: a model's image tower may also be made of several (models/combining.py)."""
        return (self,)

    @torch.no_grad()
    def encode(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Unit features float32 [B, F] of RGB pictures, on the CPU.

        Pictures are taken from the sequence batch by batch, so it may create them on demand. If the placement's
        device runs out of memory, the fallback device encodes.
        """
        try:
            return self._encode(pictures, self.placement.bring([self.module], ROOM))
        except torch.cuda.OutOfMemoryError:
            device = self.placement.fall_back(self.module)
            log.warning("%s: not enough memory for the image tower; pictures are encoded on %s.", self._name, device)
            return self._encode(pictures, device)
        finally:
            self.placement.send_home(self.module)

    def _encode(self, pictures: Sequence[Image.Image], device: torch.device) -> Tensor:
        encode: Any = self.module.encode_image
        features = []
        for start in range(0, len(pictures), BATCH):
            places = range(start, min(start + BATCH, len(pictures)))
            batch = torch.stack([self._preprocess(pictures[i]) for i in places])
            features.append(F.normalize(encode(batch.to(device)).float(), dim=-1).cpu())
        return torch.cat(features)
