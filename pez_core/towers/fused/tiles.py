"""How the products are divided among a GPU's processors. Chosen by trying on an H100."""

from __future__ import annotations

from typing import NamedTuple

PROCESSORS = 132  # of an H100: a product with fewer pieces leaves some of them idle
FEW_ROWS = 32
LEAST_SPLIT = 256  # inputs that are worth a program


class Tiles(NamedTuple):
    """rows, outputs, inputs: of a tile; split: inputs that a program sums; warps, stages: of a program."""

    rows: int
    outputs: int
    inputs: int
    split: int
    warps: int
    stages: int


def whole(rows: int, outputs: int, inputs: int) -> Tiles:
    """The tiles of a product [rows, inputs] x [inputs, outputs], all but `rows` multiples of 64."""
    narrow = outputs < 32 * PROCESSORS // 2
    if rows > FEW_ROWS:
        return Tiles(64, 32, _deep(inputs, 128), inputs, 4, 5) if narrow else Tiles(128, 64, 64, inputs, 8, 5)
    if narrow:
        return Tiles(FEW_ROWS, 16, _deep(inputs, 128), inputs, 4, 4)
    return Tiles(FEW_ROWS, 32, _deep(inputs, 256), inputs, 4, 6)


def divided(rows: int, outputs: int, inputs: int) -> Tiles:
    """The same for a product whose sum is divided among several programs."""
    tall = FEW_ROWS if rows <= FEW_ROWS else 64
    programs, parts = outputs // 64 * -(-rows // tall), 1
    while (
        programs * parts * 2 <= PROCESSORS * 3 // 2
        and inputs % (parts * 128) == 0
        and inputs >= parts * 2 * LEAST_SPLIT
    ):
        parts *= 2
    split = inputs // parts
    return Tiles(tall, 64, _deep(split, 256 if rows <= FEW_ROWS else 64), split, 4, 4)


def _deep(inputs: int, most: int) -> int:
    return next(size for size in (256, 128, 64) if size <= most and inputs % size == 0)
