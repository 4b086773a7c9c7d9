"""A small painter with random weights, in the files that the training writes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from pez_core import ClipModel
from pez_core.models.painter_net import PainterNet
from training.train_painter import config_for, save_painter

SMALL = {"channels": (8, 16, 16), "condition": 16, "heads": 2}


def random_painter(folder: Path, model: ClipModel, **shape: object) -> Path:
    """Writes a painter for `model` to `folder` and returns it. Its pictures are noise, which depends on the text."""
    torch.manual_seed(0)
    net = PainterNet(config_for(model, **{**SMALL, **shape}))
    for weight in net.parameters():
        if weight.ndim > 1:  # those that begin as zero too
            nn.init.normal_(weight, std=0.2)
    save_painter(net, model, folder)
    return folder
