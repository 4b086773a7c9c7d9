"""The embedded painter as a generator that chooses among prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import require
from ..towers.plain import plain_torch
from .generator import Noises, OnPass
from .painter import Painter, read
from .painter_net import SIZE, Reading


class PainterGenerator:
    """Denoising losses of a painter. See `Generator` in generator.py. Pictures are PIL images of any size; '' is no text."""

    name = "embedded painter"

    def __init__(self, painter: Painter):
        self._painter = painter

    @plain_torch()
    @torch.no_grad()
    def losses(self, prompts: Sequence[str], picture: Image.Image, noises: Noises, on_pass: OnPass) -> Tensor:
        """Mean squared errors of the velocity float64 [K, N] under N texts.

        Raises PezError for a text that does not fit the model's context.
        """
        require(picture, Image.Image, "A picture of Pillow", "open it with PIL.Image.open")
        painter = self._painter
        rows = painter.rows(prompts)
        device = painter.placement.bring(painter.modules)
        reading = _without_empty(read(painter.tower, rows.to(device)), prompts)
        clean = _pixels(picture).to(device)
        measured = []
        for number, (time, seed) in enumerate(zip(noises.times, noises.seeds, strict=True), 1):
            noise = torch.randn(3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)).to(device)
            noisy = ((1 - time) * clean + time * noise).expand(len(prompts), -1, -1, -1)
            velocity = painter.net(noisy, clean.new_full((len(prompts),), time), reading)
            measured.append((velocity - (noise - clean)).square().mean((1, 2, 3)).double().cpu())
            on_pass(number * len(prompts), noises.count * len(prompts))
        return torch.stack(measured)


def _without_empty(reading: Reading, prompts: Sequence[str]) -> Reading:
    """As in training, where no text is another thing than an empty one."""
    return reading.without(torch.tensor([not prompt for prompt in prompts], device=reading.feature.device))


def _pixels(picture: Image.Image) -> Tensor:
    """[3, 64, 64], values -1 to 1. Transparent parts are white, as everywhere."""
    if picture.has_transparency_data:
        whole = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
    small = picture.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 127.5 - 1).permute(2, 0, 1)
