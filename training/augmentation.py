"""Changes of finished pictures that leave the caption true."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHARE = 0.7  # of the pictures


def augmented(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Moved, scaled and tilted a little, with other contrast, colors and noise. uint8 [B, 3, S, S] to float32 in 0 to 1."""
    x = pictures.float() / 255
    count, device = len(x), x.device

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator, device=device)

    on = (between(0, 1) < SHARE).float()
    scale, tilt, lean = 1 + on * between(-0.1, 0.12), on * between(-0.1, 0.1), on * between(-0.1, 0.1)
    shift = on[:, None] * between(-0.08, 0.08, 2)
    grid = torch.stack(
        (torch.stack((scale, lean + tilt, shift[:, 0]), 1), torch.stack((-tilt, scale, shift[:, 1]), 1)), 1
    )
    x = F.grid_sample(
        x, F.affine_grid(grid, list(x.shape), align_corners=False), padding_mode="reflection", align_corners=False
    )
    on = on[:, None, None, None]
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * (1 + on * between(-0.25, 0.25, 1, 1, 1)) + mean
    x = x * (1 + on * between(-0.06, 0.06, 3, 1, 1)) + on * between(-0.1, 0.1, 1, 1, 1)
    grain = torch.randn(x.shape, generator=generator, device=device)
    return (x + on * between(0, 0.03, 1, 1, 1) * grain).clamp(0, 1)
