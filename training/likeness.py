"""How alike two pictures look to the embedded model: what the squared error of pixels cannot tell."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from torch import Tensor, nn

from pez_core import ClipModel

from .world.constants import constant


class Likeness:
    """The distance of pictures in the features of a model's image tower, a ModifiedResNet of open_clip.

    Besides the feature of the whole picture it compares those of its places, which a picture that only pleases the
    model has wrong (as in arXiv 1801.03924). The judges take no part.
    """

    def __init__(self, model: ClipModel, device: torch.device):
        whole: Any = model.image.towers[0].module
        module: nn.Module = whole.visual
        self._tower: Any = module.eval().to(device=device, memory_format=torch.channels_last)
        self._mean, self._std = (constant(device, *values) for values in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))

    def __call__(self, pictures: Tensor, wanted: Tensor) -> Tensor:
        """The distances [N] of pictures [N, 3, S, S] from those wanted, both with values -1 to 1; 0 for the same."""
        with torch.no_grad():
            goal = self._looked_at(wanted)
        made = self._looked_at(pictures)
        return sum((1 - F.cosine_similarity(a, b, dim=1)).flatten(1).mean(1) for a, b in zip(made, goal, strict=True))  # type: ignore[return-value]

    def _looked_at(self, pictures: Tensor) -> tuple[Tensor, ...]:
        tower = self._tower
        x = tower.stem(((pictures + 1) / 2 - self._mean) / self._std)
        third = tower.layer3(tower.layer2(tower.layer1(x)))
        return third.float(), tower.attnpool(tower.layer4(third)).float()[..., None]
