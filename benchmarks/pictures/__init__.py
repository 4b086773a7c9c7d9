"""Rendered pictures that no model was trained on, with their captions. `python -m training.shipped_pictures` draws them.

`trained`: 256 pictures in all styles, of things and by sets of drawings that training uses too, in other scenes.
`twemoji`: 256 pictures by a set of drawings that training never uses, in the plain style.
`plain`: 256 pictures like `trained`, in the plain style, which all models know.
`styles`: four pictures of different things in each style.
`others`: five other things in each style, the same in all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
ABOUT = HERE / "captions.json"
STYLE_SHEET = HERE / "styles.png"
SIDE, COLUMNS = 64, 16
OTHER_THINGS = ("fox", "guitar", "house", "banana", "rocket")
HALVES = {None: slice(None), "choose": slice(0, None, 2), "report": slice(1, None, 2)}


@dataclass(frozen=True)
class HeldOut:
    """One picture (RGB, 64 x 64), its full caption, the style it is in, and the first thing in it."""

    picture: Image.Image
    caption: str
    style: str
    thing: str


def held_out(half: str | None = None, drawings: str = "trained") -> tuple[list[Image.Image], list[str]]:
    """Returns the pictures (RGB, 64 x 64) and their full captions, in the same order.

    half: "choose" for the 128 pictures on even places, with which settings are chosen; "report" for the others, which
        reported figures come from; None for all of them.
    drawings: "trained", "twemoji" or "plain".
    """
    rows = held_out_pictures(half, drawings)
    return [row.picture for row in rows], [row.caption for row in rows]


def held_out_pictures(half: str | None = None, drawings: str = "trained") -> list[HeldOut]:
    """As `held_out`, with all that is known about each picture."""
    return _read(drawings, sheet_of(drawings), COLUMNS)[HALVES[half]]


def style_pictures() -> dict[str, list[HeldOut]]:
    """Four pictures for each style, of different things."""
    made: dict[str, list[HeldOut]] = {}
    for row in _read("styles", STYLE_SHEET, 4):
        made.setdefault(row.style, []).append(row)
    return made


def other_pictures() -> dict[str, list[HeldOut]]:
    """For each style a picture of each of OTHER_THINGS, in their order."""
    made: dict[str, list[HeldOut]] = {}
    for row in _read("others", sheet_of("others"), len(OTHER_THINGS)):
        made.setdefault(row.style, []).append(row)
    return made


def sheet_of(drawings: str) -> Path:
    return HERE / f"{drawings}.png"


def _read(name: str, file: Path, columns: int) -> list[HeldOut]:
    about = json.loads(ABOUT.read_text("utf-8"))[name]
    with Image.open(file) as sheet:
        corners = [((i % columns) * SIDE, (i // columns) * SIDE) for i in range(len(about))]
        cells = [sheet.crop((x, y, x + SIDE, y + SIDE)).convert("RGB") for x, y in corners]
    return [HeldOut(cell, row["caption"], row["style"], row["thing"]) for cell, row in zip(cells, about, strict=True)]
