"""How alike two pictures look to the embedded model: what the squared error of pixels cannot tell."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pez_core import ClipModel

from .model import normalized


class Likeness:
    """The distance of pictures in the features of a model's image tower, a ModifiedResNet of open_clip.

    Besides the feature of the whole picture it compares those of its places, which a picture that only pleases the
    model has wrong (as in arXiv 1801.03924). The judges take no part.
    """

    def __init__(self, model: ClipModel, device: torch.device):
        whole: Any = model.image.towers[0].module
        # a copy: another layout of the weights changes the last digits of what the model says
        self._tower: Any = deepcopy(whole.visual).eval().to(device=device, memory_format=torch.channels_last)

    def __call__(self, pictures: Tensor, wanted: Tensor) -> Tensor:
        """The distances [N] of pictures [N, 3, S, S] from those wanted, both with values -1 to 1; 0 for the same."""
        with torch.no_grad():
            goal_places, goal = self._features(wanted)
        places, whole = self._features(pictures)
        apart = 1 - F.cosine_similarity(places, goal_places, dim=1)  # [N, rows, columns]
        return apart.flatten(1).mean(1) + 1 - F.cosine_similarity(whole, goal, dim=1)

    def _features(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Those of the third stage's places [N, C, rows, columns], and of the whole [N, F]."""
        tower = self._tower
        third = tower.layer3(tower.layer2(tower.layer1(tower.stem(normalized((pictures + 1) / 2)))))
        return third.float(), tower.attnpool(tower.layer4(third)).float()
