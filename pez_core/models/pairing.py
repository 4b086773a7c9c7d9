"""Whether an image tower and a text tower were trained together, which features of equal length do not prove."""

from __future__ import annotations

import torch
from PIL import Image, ImageColor
from torch import Tensor

COLORS = ("red", "green", "blue", "yellow", "black", "white", "orange", "purple")
ORDERS = 2000  # random orders of the texts to compare with the right one
CHANCE = 0.01  # largest probability that a wrong pair passes


def color_pictures() -> list[Image.Image]:
    """A picture of each of COLORS: every CLIP knows them, so towers of the same model agree on them."""
    return [Image.new("RGB", (64, 64), ImageColor.getrgb(color)) for color in COLORS]


def agree(pictures: Tensor, texts: Tensor) -> bool:
    """Whether features [N, F] of pictures match those of their texts better than those of the texts in other orders."""
    return chance(pictures, texts) < CHANCE


def chance(pictures: Tensor, texts: Tensor) -> float:
    """The share of random orders of the texts that match the pictures as well as the right one, 0..1."""
    seen = (pictures.float().cpu() @ texts.float().cpu().T).double()
    centered = seen - seen.mean(0) - seen.mean(1, keepdim=True)
    rows = torch.arange(len(centered))
    orders = torch.rand(ORDERS, len(rows), generator=torch.Generator().manual_seed(0)).argsort(dim=1)
    others = centered[rows, orders].sum(1)
    return (others >= centered.diag().sum()).double().mean().item()
