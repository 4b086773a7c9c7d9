"""The colors that captions name."""

from __future__ import annotations

import numpy as np

COLORS = {
    "red": (214, 40, 40),
    "orange": (245, 130, 32),
    "yellow": (250, 210, 50),
    "green": (60, 160, 70),
    "blue": (45, 95, 200),
    "purple": (130, 60, 165),
    "pink": (245, 150, 190),
    "brown": (120, 78, 48),
    "black": (22, 22, 24),
    "white": (246, 246, 246),
    "gray": (135, 135, 138),
}
LEAST_SHARE = 0.5


def main_color(drawing: np.ndarray) -> str | None:
    """The named color nearest to at least half of the opaque pixels of a drawing, uint8 [H, W, 4], or None."""
    pixels = drawing.reshape(-1, 4).astype(np.float32)
    pixels = pixels[pixels[:, 3] > 200, :3]
    if not len(pixels):
        return None
    table = np.array(list(COLORS.values()), np.float32)
    nearest = ((pixels[:, None] - table) ** 2).sum(-1).argmin(1)
    share = np.bincount(nearest, minlength=len(table)) / len(pixels)
    return list(COLORS)[share.argmax()] if share.max() >= LEAST_SHARE else None
