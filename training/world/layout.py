"""Where everything in a picture is, as numbers of a fixed shape: all that drawing needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .colors import COLORS
from .dice import Dice
from .scenes import GROUNDS, MOST, STYLES, Group, Scene

PER_DRAWING = (
    "x",
    "y",
    "side",
    "turn",
    "aspect",
    "mirror",
    "hue",
    "saturation",
    "value",
    "tint",
    "red",
    "green",
    "blue",
)
PER_PICTURE = ("red", "green", "blue", "red 2", "green 2", "blue 2", "a", "b", "c", "d", "e", "f")


@dataclass(frozen=True)
class Layouts:
    """n pictures in numbers.

    drawing: int64 [n, MOST], which drawing, -1 for none; drawn in this order.
    placed: float32 [n, MOST, 13], for each drawing: center and side as shares of the picture, turn in radians, width over
        height, 1 for mirrored, shifts of its colors, and a tint with its color (0 to 1).
    ground, style: int64 [n], places in GROUNDS and STYLES.
    picture: float32 [n, 12], two colors of the ground (0 to 1), and six numbers in 0 to 1 that grounds and styles use.
    noise: int64 [n, 3], which texture, and by how much it is shifted.
    """

    drawing: Tensor
    placed: Tensor
    ground: Tensor
    style: Tensor
    picture: Tensor
    noise: Tensor

    def __len__(self) -> int:
        return len(self.drawing)

    def to(self, device: torch.device | str) -> Layouts:
        return Layouts(*(value.to(device, non_blocking=True) for value in self.tensors()))

    def tensors(self) -> tuple[Tensor, ...]:
        return self.drawing, self.placed, self.ground, self.style, self.picture, self.noise

    def __getitem__(self, rows: slice) -> Layouts:
        return Layouts(*(value[rows] for value in self.tensors()))

    @staticmethod
    def joined(several: Sequence[Layouts]) -> Layouts:
        return Layouts(*(torch.cat(values) for values in zip(*(each.tensors() for each in several), strict=True)))


def lay_out(
    rng: np.random.Generator, scenes: Sequence[Scene], drawing_of: np.ndarray, set_place: dict[str, int]
) -> Layouts:
    """`drawing_of`: int [sets, things], the drawing of each thing; `set_place`: the row of each set in it."""
    count = len(scenes)
    dice = Dice(rng, block=4096)
    drawing = np.full((count, MOST), -1, np.int64)
    placed = np.zeros((count, MOST, len(PER_DRAWING)), np.float32)
    picture = rng.random((count, len(PER_PICTURE)), dtype=np.float32)
    noise = rng.integers(0, 1 << 16, (count, 3))
    for i, scene in enumerate(scenes):
        row = 0
        for group, boxes in zip(scene.groups, _boxes(dice, scene), strict=True):
            which = drawing_of[set_place[group.drawn_by], group.thing.index]
            for x, y, side in boxes:
                drawing[i, row] = which
                placed[i, row] = (x, y, side, *_look(dice, group))
                row += 1
        picture[i, :6] = _ground_colors(dice, scene)
    ground = torch.tensor([GROUNDS.index(scene.ground) for scene in scenes], dtype=torch.int64)
    style = torch.tensor([STYLES.index(scene.style) for scene in scenes], dtype=torch.int64)
    as_tensors = (torch.from_numpy(value) for value in (drawing, placed))
    return Layouts(*as_tensors, ground, style, torch.from_numpy(picture), torch.from_numpy(noise))


def _boxes(dice: Dice, scene: Scene) -> list[list[tuple[float, float, float]]]:
    """For each group the centers and sides of its drawings."""
    groups = scene.groups
    if scene.order == "alone":
        return [_alone(dice, groups[0], scene.spot)]
    if scene.order == "row":
        edges = (0.0, 0.335, 0.665, 1.0)
        return [_in_cell(dice, group, (edges[i], 0.0, edges[i + 1], 1.0)) for i, group in enumerate(groups)]
    cut = dice.between(0.46, 0.54)
    if scene.order == "beside":
        cells = ((0.0, 0.0, cut, 1.0), (cut, 0.0, 1.0, 1.0))
    else:
        cells = ((0.0, 0.0, 1.0, cut), (0.0, cut, 1.0, 1.0))
    placed = [_in_cell(dice, group, cell) for group, cell in zip(groups, cells, strict=True)]
    # Often the two meet: the first stands on the second, or next to it.
    if all(len(boxes) == 1 for boxes in placed) and dice.chance(0.6):
        (x, y, side), (x2, y2, side2) = placed[0][0], placed[1][0]
        apart = (side + side2) / 2 * dice.between(0.9, 1.05)
        if scene.order == "stacked":
            middle = dice.between(max(side, side2) / 2, 1 - max(side, side2) / 2)
            x, x2 = middle, middle + dice.between(-0.05, 0.05)
            y = y2 - apart
        else:
            floor = min(1 - max(side, side2) / 2, dice.between(0.5, 0.8))
            y, y2 = floor - side / 2 + max(side, side2) / 2 * 0.5, floor - side2 / 2 + max(side, side2) / 2 * 0.5
            x = max(x2 - apart, side / 2)
        placed = [[(x, max(y, side / 2), side)], [(x2, y2, side2)]]
    return placed


def _alone(dice: Dice, group: Group, spot: str) -> list[tuple[float, float, float]]:
    if group.count > 1:
        return _in_cell(dice, group, (0.0, 0.0, 1.0, 1.0))
    low, high = {"small": (0.26, 0.36), "large": (0.85, 1.0)}.get(group.size, (0.45, 0.85) if not spot else (0.4, 0.5))
    side = dice.between(low, high)
    free = 1 - side
    x, y = side / 2 + free * dice.number(), side / 2 + free * dice.number()
    if spot == "center":
        return [(0.5 + dice.between(-0.04, 0.04), 0.5 + dice.between(-0.04, 0.04), side)]
    if spot:
        near = free * 0.15
        x = 0.5 + dice.between(-0.06, 0.06) if spot in ("top", "bottom") else x
        y = 0.5 + dice.between(-0.06, 0.06) if spot in ("left", "right") else y
        x = side / 2 + near * dice.number() if "left" in spot else x
        x = 1 - side / 2 - near * dice.number() if "right" in spot else x
        y = side / 2 + near * dice.number() if "top" in spot else y
        y = 1 - side / 2 - near * dice.number() if "bottom" in spot else y
    return [(x, y, side)]


# Columns of each row of a grid, for a wide, a square and a tall cell.
_GRIDS = {
    1: ((1,), (1,), (1,)),
    2: ((2,), (2,), (1, 1)),
    3: ((3,), (2, 1), (1, 1, 1)),
    4: ((4,), (2, 2), (1, 1, 1, 1)),
}


def _in_cell(dice: Dice, group: Group, cell: tuple[float, float, float, float]) -> list[tuple[float, float, float]]:
    """The group's drawings in a grid inside the cell (left, top, right, bottom)."""
    left, top, right, bottom = cell
    width, height = right - left, bottom - top
    shape = 0 if width > 1.4 * height else 1 if width > 0.7 * height else 2
    rows = _GRIDS[group.count][shape]
    pitch = min(width / max(rows), height / len(rows))
    share = {"small": 0.55, "large": 1.0}.get(group.size, dice.between(0.72, 0.96))
    side = pitch * share
    slack = (height - len(rows) * pitch) * dice.number() + top
    made = []
    for r, columns in enumerate(rows):
        start = left + (width - columns * pitch) * (0.5 if columns < max(rows) else dice.number())
        for c in range(columns):
            loose = (pitch - side) / 2
            x = start + (c + 0.5) * pitch + dice.between(-loose, loose)
            y = slack + (r + 0.5) * pitch + dice.between(-loose, loose)
            made.append((x, y, side))
    return made


def _look(dice: Dice, group: Group) -> tuple[float, ...]:
    """Turn, aspect, mirroring and colors of one drawing."""
    turn = dice.between(-0.3, 0.3) if dice.chance(0.5) else dice.between(-0.06, 0.06)
    aspect = math.exp(dice.between(-0.12, 0.12))
    mirror = float(dice.chance(0.5))
    shifts = (dice.between(-0.2, 0.2), dice.between(0.7, 1.35), dice.between(0.82, 1.18))
    tint = COLORS[group.color] if group.tinted and group.color else (0, 0, 0)
    return turn, aspect, mirror, *shifts, float(group.tinted), *(value / 255 for value in tint)


def _ground_colors(dice: Dice, scene: Scene) -> list[float]:
    """The color of the ground and a second one for its pattern, both still called by the same name."""
    base = [value / 255 + dice.between(-0.05, 0.05) for value in COLORS[scene.color]]
    lightness = sum(base) / 3
    share = dice.between(0.68, 0.84) if lightness > 0.2 else dice.between(2.6, 4.0)
    if scene.ground in ("striped", "checked", "dotted") and 0.2 < lightness < 0.85 and dice.chance(0.4):
        other = [value + (1 - value) * dice.between(0.6, 0.95) for value in base]  # colored on white
    else:
        other = [max(value, 0.03) * share for value in base]
    return base + other
