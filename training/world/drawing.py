"""Layouts to pictures, many at once, on any device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .constants import constant
from .grounds import draw_grounds
from .layout import Layouts
from .scenes import GROUNDS, MOST, ON_PAPER, STYLES
from .styles import Paper, apply_styles

LEVELS = 3  # of the drawings, each half as large as the one before
TEXTURES, TEXTURE_SIDE = 16, 128


class Painter:
    """Draws layouts. `drawings`: uint8 [N, side, side, 4]."""

    def __init__(self, drawings: np.ndarray, device: str | torch.device, size: int):
        self.size, self.device = size, torch.device(device)
        self._levels = [level.to(self.device) for level in _pyramid(drawings)]
        self._smooth, self._fine = (t.to(self.device) for t in _textures())
        self._on_paper = torch.tensor([style in ON_PAPER for style in STYLES], device=self.device)

    def draw(self, layouts: Layouts) -> Tensor:
        """uint8 [n, 3, size, size] on the painter's device; the same for the same layouts."""
        here = layouts.to(
            "cpu"
        )  # which rows are drawn how is decided there: a look at a GPU's values would wait for it
        grounds = [self._rows(here.ground == place) for place in range(len(GROUNDS))]
        styles = [self._rows(here.style == place) for place in range(len(STYLES))]
        layouts = layouts.to(self.device)
        smooth, fine = self._noise(self._smooth, layouts.noise), self._noise(self._fine, layouts.noise)
        picture = layouts.picture
        # On paper the ground is a white sheet; the color is that of the light.
        ground_colors = torch.where(self._on_paper[layouts.style][:, None], picture.new_ones(()), picture[:, :6])
        canvas = draw_grounds(grounds, torch.cat((ground_colors, picture[:, 6:]), 1), smooth, self.size)
        sprites, at = self._sprites(here)
        for row in range(MOST):
            own = (at[:, 1] == row).nonzero()[:, 0]
            if len(own):
                which, sprite = self._here(at[own, 0]), sprites[self._here(own)]
                canvas[which] = canvas[which] * (1 - sprite[:, 3:]) + sprite[:, :3]
        canvas = apply_styles(canvas.clamp_(0, 1), styles, Paper(picture, smooth, fine, self.size / 64))
        return (canvas * 255).round_().to(torch.uint8)

    def _here(self, values: Tensor) -> Tensor:
        return values.to(self.device, non_blocking=True)

    def _rows(self, mask: Tensor) -> Tensor:
        return self._here(mask.nonzero()[:, 0])

    def _sprites(self, layouts: Layouts) -> tuple[Tensor, Tensor]:
        """All drawings of all pictures in place, premultiplied [m, 4, size, size].

        Also returns, on the CPU as `layouts` are, the picture and the row of each, [m, 2].
        """
        at = (layouts.drawing >= 0).nonzero()
        drawing, placed = layouts.drawing[at[:, 0], at[:, 1]], layouts.placed[at[:, 0], at[:, 1]]
        shrunk = self._levels[0].shape[-1] / (placed[:, 2] * self.size)
        level = (shrunk > 1.5).long() + (shrunk > 3).long()
        levels = [self._rows(level == number) for number in range(LEVELS)]
        drawing, placed = self._here(drawing), self._here(placed)
        x, y, side, turn, aspect, mirror = placed[:, :6].unbind(1)
        cos, sin, flip = turn.cos(), turn.sin(), 1 - 2 * mirror
        width, height = side * aspect.clamp(max=1), side / aspect.clamp(min=1)
        left, top = x * 2 - 1, y * 2 - 1
        first = torch.stack((cos * flip, sin * flip, -(cos * left + sin * top) * flip), 1) / width[:, None]
        second = torch.stack((-sin, cos, sin * left - cos * top), 1) / height[:, None]
        grid = F.affine_grid(torch.stack((first, second), 1), [len(at), 4, self.size, self.size], align_corners=False)
        made = grid.new_zeros(len(at), 4, self.size, self.size)
        for source, rows in zip(self._levels, levels, strict=True):
            if len(rows):
                taken = source[drawing[rows]].float() / 255
                made[rows] = F.grid_sample(
                    taken, grid[rows], mode="bilinear", padding_mode="zeros", align_corners=False
                )
        return _recolored(made, placed[:, 6:]), at

    def _noise(self, bank: Tensor, noise: Tensor) -> Tensor:
        """[n, 1, size, size]: textures by number and shift."""
        at = torch.arange(64, device=self.device)
        rows, columns = ((at + noise[:, i, None]) % TEXTURE_SIDE for i in (1, 2))
        cut = bank[(noise[:, 0] % TEXTURES)[:, None, None], rows[:, :, None], columns[:, None, :]][:, None]
        return cut if self.size == 64 else F.interpolate(cut, size=self.size, mode="bilinear", align_corners=False)


def _recolored(sprites: Tensor, look: Tensor) -> Tensor:
    """Shifts hue, saturation and lightness of premultiplied sprites; a tint gives them one color in their own shades."""
    hue, saturation, value, tint = (v[:, None, None] for v in look[:, :4].unbind(1))
    gray = constant(sprites.device, 0.299, 0.587, 0.114).view(1, 3).expand(3, 3)
    axis = constant(sprites.device, 0, -1, 1, 1, 0, -1, -1, 1, 0).view(3, 3) / 3**0.5
    same = torch.eye(3, device=sprites.device)
    third = sprites.new_full((3, 3), 1 / 3)
    turned = hue.cos() * same + (1 - hue.cos()) * third + hue.sin() * axis  # about the gray axis
    shifted = (gray + saturation * (turned - gray)) * value
    color = look[:, 4:7, None]
    painted = (color * 0.65 + 0.12) * gray[:1]
    matrix = (1 - tint) * shifted + tint * painted
    flat, alpha = sprites[:, :3].flatten(2), sprites[:, 3:].flatten(2)
    rgb = torch.minimum((matrix @ flat + tint * color * 0.45 * alpha).clamp(min=0), alpha)
    return torch.cat((rgb.view_as(sprites[:, :3]), sprites[:, 3:]), 1)


def _pyramid(drawings: np.ndarray) -> Sequence[Tensor]:
    levels = []
    for start in range(0, len(drawings), 512):
        part = torch.from_numpy(drawings[start : start + 512]).permute(0, 3, 1, 2).float() / 255
        part = torch.cat((part[:, :3] * part[:, 3:], part[:, 3:]), 1)
        levels.append(
            [(F.avg_pool2d(part, 2**n) if n else part).mul(255).round().to(torch.uint8) for n in range(LEVELS)]
        )
    return [torch.cat(parts) for parts in zip(*levels, strict=True)]


def _textures() -> tuple[Tensor, Tensor]:
    """Soft noise in waves of several lengths, and grain; both [TEXTURES, side, side] in 0 to 1, the same on all machines."""
    rng = np.random.default_rng(0)
    soft = np.zeros((TEXTURES, TEXTURE_SIDE, TEXTURE_SIDE), np.float32)
    for waves, weight in ((8, 1.0), (16, 0.6), (32, 0.3)):
        coarse = torch.from_numpy(rng.random((TEXTURES, 1, waves, waves), dtype=np.float32))
        coarse = F.pad(coarse, (2, 2, 2, 2), mode="circular")
        scale = TEXTURE_SIDE // waves
        fine = F.interpolate(coarse, scale_factor=scale, mode="bicubic", align_corners=False)
        soft += weight * fine[:, 0, 2 * scale : -2 * scale, 2 * scale : -2 * scale].numpy()
    soft = (soft - soft.mean()) / soft.std() * 0.18 + 0.5
    grain = rng.random((TEXTURES, TEXTURE_SIDE, TEXTURE_SIDE), dtype=np.float32)
    return torch.from_numpy(soft.clip(0, 1)), torch.from_numpy(grain)
