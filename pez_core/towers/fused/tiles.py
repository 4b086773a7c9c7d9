"""How the products are divided among a GPU's processors. Chosen by trying on an H100."""

from __future__ import annotations

from typing import NamedTuple

PROCESSORS = 132  # of an H100: a product with fewer pieces leaves some of them idle


class Tiles(NamedTuple):
    """rows, outputs, inputs: of a tile; split: inputs that a program sums; warps, stages: of a program."""

    rows: int
    outputs: int
    inputs: int
    split: int
    warps: int
    stages: int


def tiles_of(rows: int, outputs: int, inputs: int, split: bool) -> Tiles:
    """The tiles of a product [rows, inputs] x [inputs, outputs], all but `rows` multiples of 64.

    split: whether its sum may be divided.
    """
    tall = 32 if rows <= 32 else 64
    wide = 32 if rows <= 64 else 64
    if not split and outputs // wide < PROCESSORS // 2:
        wide //= 2
    deep = 128 if inputs % 128 == 0 else 64
    parts = 1
    if split:
        programs = (outputs // wide) * -(-rows // tall)
        while programs * parts * 2 <= PROCESSORS and inputs % (parts * 2 * deep) == 0:
            parts *= 2
    return Tiles(tall, wide, deep, inputs // parts, 4, 4)
