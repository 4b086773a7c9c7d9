"""A caption model of random weights: what it says is the same in every run, and means nothing."""

from __future__ import annotations

import torch

from pez_core import Vocabulary
from pez_core.models.caption_model import RARE, CaptionModel
from pez_core.models.caption_net import CaptionConfig, CaptionNet

CONFIG = CaptionConfig(classes=6, words=10, width=32, heads=2, layers=2, out_width=16, positions=20)


def random_net() -> tuple[CaptionNet, torch.Tensor]:
    """The network, and the token of each of its slots."""
    torch.manual_seed(0)
    net = CaptionNet(CONFIG)
    for value in net.parameters():
        torch.nn.init.normal_(value, std=0.3)
    return net, torch.tensor([RARE, 49407, *range(320, 378)], dtype=torch.int32)


def random_caption_model(vocabulary: Vocabulary) -> CaptionModel:
    return CaptionModel(*random_net(), vocabulary)
