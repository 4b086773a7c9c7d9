"""256 rendered pictures that no model was trained on, with their captions."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
JUDGE_FOLDER = HERE.parent / "judge"
SIDE, COLUMNS = 64, 16


def held_out(name: str = "heldout") -> tuple[list[Image.Image], list[str]]:
    """Returns the pictures (RGB, 64 x 64) of a sheet and their full captions, in the same order."""
    captions = json.loads((HERE / f"{name}.json").read_text("utf-8"))
    with Image.open(HERE / f"{name}.png") as sheet:
        corners = [((i % COLUMNS) * SIDE, (i // COLUMNS) * SIDE) for i in range(len(captions))]
        return [sheet.crop((x, y, x + SIDE, y + SIDE)).convert("RGB") for x, y in corners], captions
