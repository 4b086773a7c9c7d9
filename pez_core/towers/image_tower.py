"""A model's image tower: pictures in, unit features out, and off the device again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

log = logging.getLogger(__name__)

BATCH = 16  # pictures encoded at once: bounds memory, loses no speed


class ImageTower:
    """`module`: what has the open_clip model's `encode_image`, in float32; its parameters are frozen.

    `preprocess`: RGB picture to float32 [3, S, S], as the model was trained. `name` is used in messages.
    """

    def __init__(self, module: nn.Module, preprocess: Callable[[Image.Image], Tensor], name: str):
        self.module = module.requires_grad_(False)
        self._preprocess = preprocess
        self._name = name

    @property
    def towers(self) -> tuple[ImageTower, ...]:
        """Itself: a model's image tower may also be made of several (joint.py)."""
        return (self,)

    @torch.no_grad()
    def encode(self, pictures: Sequence[Image.Image], device: torch.device) -> Tensor:
        """Unit features float32 [B, F] of RGB pictures, on `device`.

        The weights go there for as long as it takes, and back to where they were. Where a GPU has no room
        for them, the CPU encodes.
        """
        home = next(self.module.parameters()).device
        try:
            return self._encode(pictures, device)
        except torch.cuda.OutOfMemoryError:
            log.warning("%s: no room for the image tower on %s, the CPU encodes the pictures.", self._name, device)
            return self._encode(pictures, torch.device("cpu")).to(device)
        finally:
            if home != device:
                self.module.to(home)

    def _encode(self, pictures: Sequence[Image.Image], device: torch.device) -> Tensor:
        self.module.to(device)
        features = []
        for start in range(0, len(pictures), BATCH):
            batch = torch.stack([self._preprocess(picture) for picture in pictures[start : start + BATCH]])
            features.append(F.normalize(self.module.encode_image(batch.to(device)).float(), dim=-1))
        return torch.cat(features)
