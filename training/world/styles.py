"""Styles that are filters over a finished picture. All take and return float32 [n, 3, S, S] in 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .constants import constant
from .scenes import STYLES


@dataclass(frozen=True)
class Paper:
    """What a filter may use: `unit` is one of 64 parts of the picture in pixels; noise is [n, 1, S, S] in 0 to 1."""

    picture: Tensor  # the layouts' numbers [n, 12]
    smooth: Tensor
    fine: Tensor
    unit: float

    def knob(self, i: int) -> Tensor:
        return self.picture[:, 6 + i, None, None, None]


def apply_styles(pictures: Tensor, rows_of: Sequence[Tensor], paper: Paper) -> Tensor:
    """`rows_of`: for each of STYLES the numbers of its pictures. Changes `pictures` and returns them."""
    for name, rows in zip(STYLES, rows_of, strict=True):
        if name in _FILTERS and len(rows):
            own = Paper(paper.picture[rows], paper.smooth[rows], paper.fine[rows], paper.unit)
            pictures[rows] = _FILTERS[name](pictures[rows], own).clamp(0, 1)
    return pictures


def lightness(x: Tensor) -> Tensor:
    return (x * constant(x.device, 0.299, 0.587, 0.114)).sum(1, keepdim=True)


def blur(x: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur of `sigma` pixels."""
    reach = max(int(2.5 * sigma + 0.5), 1)
    at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    weight = torch.exp(-0.5 * (at / sigma) ** 2)
    weight = (weight / weight.sum()).expand(x.shape[1], 1, -1)
    x = F.pad(x, (reach,) * 4, mode="replicate")
    x = F.conv2d(x, weight[..., None, :], groups=x.shape[1])
    return F.conv2d(x, weight[..., None], groups=x.shape[1])


def edges(x: Tensor, unit: float) -> Tensor:
    """[n, 1, S, S]: how fast the color changes there."""
    step = max(round(unit), 1)
    wide = F.pad(x, (step,) * 4, mode="replicate")
    across = wide[..., step:-step, 2 * step :] - wide[..., step:-step, : -2 * step]
    down = wide[..., 2 * step :, step:-step] - wide[..., : -2 * step, step:-step]
    return (across**2 + down**2).sum(1, keepdim=True).sqrt()


def _line_drawing(x: Tensor, paper: Paper) -> Tensor:
    ink = torch.maximum((edges(x, paper.unit * 0.5) - 0.16) * 1.6, (0.2 - lightness(x)) * 6).clamp(0, 1)
    return 0.97 - 0.9 * ink + 0.02 * (paper.smooth - 0.5)


def _pixel_art(x: Tensor, paper: Paper) -> Tensor:
    return torch.where(paper.knob(0) < 0.5, _in_blocks(x, 2 * paper.unit), _in_blocks(x, 3 * paper.unit))


def _in_blocks(x: Tensor, side: float) -> Tensor:
    side, size = max(round(side), 1), x.shape[-1]
    margin = -size % side
    coarse = F.avg_pool2d(F.pad(x, (0, margin, 0, margin), mode="replicate"), side)
    coarse = (((coarse - 0.5) * 1.2 + 0.5) * 5).round() / 5
    return coarse.repeat_interleave(side, -1).repeat_interleave(side, -2)[..., :size, :size]


def _pencil_sketch(x: Tensor, paper: Paper) -> Tensor:
    gray = lightness(x)
    lines = (gray / (blur(gray, 1.6 * paper.unit) + 0.02)).clamp(0, 1) ** 2.2
    lines = lines * (1 - 0.6 * (edges(x, paper.unit * 0.5) - 0.15).clamp(0, 1))
    shade = 1 - (0.85 - gray).clamp(0, 1) * (0.25 + 0.6 * paper.fine)
    made = 0.95 * lines * shade
    return (made + 0.10 * (paper.fine - 0.5)).clamp(0.12, 1).expand(-1, 3, -1, -1)


def _black_and_white(x: Tensor, paper: Paper) -> Tensor:
    return ((lightness(x) - 0.5) * (1.0 + 0.4 * paper.knob(0)) + 0.5).expand(-1, 3, -1, -1)


def _sepia(x: Tensor, paper: Paper) -> Tensor:
    gray = 0.12 + 0.82 * lightness(x) + 0.06 * (paper.fine - 0.5)
    tone = constant(x.device, 1.06, 0.86, 0.62)
    at = torch.linspace(-1, 1, x.shape[-1], device=x.device)
    vignette = 1 - (0.2 + 0.2 * paper.knob(0)) * (at[:, None] ** 2 + at**2) / 2
    return gray * tone * vignette


def _blurry(x: Tensor, paper: Paper) -> Tensor:
    soft, softer = blur(x, 1.4 * paper.unit), blur(x, 2.4 * paper.unit)
    return soft + (softer - soft) * paper.knob(0)


def _neon(x: Tensor, paper: Paper) -> Tensor:
    line = ((edges(x, paper.unit * 0.5) - 0.10) * 1.7).clamp(0, 1)
    glow = 0.75 * line + 0.8 * blur(line, 1.3 * paper.unit) + 0.7 * blur(line, 3.5 * paper.unit)
    color = paper.picture[:, :3, None, None].clamp(0, 1)
    color = color / color.amax(1, keepdim=True).clamp(min=0.3)
    wall = constant(x.device, 0.035, 0.03, 0.07) + 0.03 * (paper.smooth - 0.5)
    return wall + color * glow + 0.75 * (blur(line, 0.6 * paper.unit) - 0.45).clamp(0, 1)


def _watercolor(x: Tensor, paper: Paper) -> Tensor:
    size = x.shape[-1]
    at = (torch.arange(size, device=x.device) + 0.5) / size * 2 - 1
    straight = torch.stack((at.expand(size, size), at[:, None].expand(size, size)), -1)
    pull = blur(paper.smooth, 1.0 * paper.unit)
    pull = torch.cat((pull, pull.flip(-1)), 1).permute(0, 2, 3, 1) - 0.5
    x = F.grid_sample(x, straight + 0.09 * pull, mode="bilinear", padding_mode="border", align_corners=False)
    wet = blur(x, 0.6 * paper.unit)
    pigment = (1 - wet) * (0.6 + 0.5 * paper.smooth) + 0.25 * (edges(wet, paper.unit) - 0.1).clamp(0, 1)
    near = torch.minimum(torch.minimum(at[:, None] + 1, 1 - at[:, None]), torch.minimum(at + 1, 1 - at))
    inside = ((near - 0.04 + 0.25 * (paper.smooth - 0.42)) * 12).clamp(0, 1)
    sheet = constant(x.device, 0.985, 0.97, 0.945)
    return sheet - pigment * inside + 0.05 * (paper.fine - 0.5)


_FILTERS: dict[str, Callable[[Tensor, Paper], Tensor]] = {
    "line drawing": _line_drawing,
    "pixel art": _pixel_art,
    "pencil sketch": _pencil_sketch,
    "black and white": _black_and_white,
    "sepia": _sepia,
    "blurry": _blurry,
    "neon": _neon,
    "watercolor": _watercolor,
}
