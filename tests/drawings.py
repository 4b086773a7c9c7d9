"""Drawings for the world that the models are trained on, made here: colored shapes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from training.world import SETS
from training.world.colors import COLORS, main_color

SIDE, COLUMNS = 64, 8
SHAPES = {
    "ball": lambda pen, color: pen.ellipse((4, 4, 59, 59), color),
    "box": lambda pen, color: pen.rectangle((4, 4, 59, 59), color),
    "roof": lambda pen, color: pen.polygon(((32, 4), (60, 60), (4, 60)), color),
    "ring": lambda pen, color: pen.ellipse((8, 8, 55, 55), outline=color, width=12),
}


def draw_shapes(folder: Path) -> Path:
    """Writes the sheets and the list of things to `folder`, and returns it."""
    names = [(color, shape) for color in COLORS for shape in SHAPES]
    sheet = Image.new("RGBA", (COLUMNS * SIDE, -(-len(names) // COLUMNS) * SIDE))
    things = []
    for place, (color, shape) in enumerate(names):
        cell = Image.new("RGBA", (SIDE, SIDE))
        SHAPES[shape](ImageDraw.Draw(cell), (*COLORS[color], 255))
        sheet.paste(cell, (place % COLUMNS * SIDE, place // COLUMNS * SIDE))
        own = main_color(np.asarray(cell))
        things.append(
            {
                "name": f"{color} {shape}",
                "synonyms": [f"round{place}"],
                "kinds": ["shape"],
                "colors": dict.fromkeys(SETS, own),
            }
        )
    for name in SETS:
        sheet.save(folder / f"{name}.webp", lossless=True)
    (folder / "things.json").write_text(json.dumps({"side": SIDE, "columns": COLUMNS, "things": things}))
    return folder
