"""Pictures of things alone in every style: some to search prompts for, others to compare paintings with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
SIDE = 64


@dataclass(frozen=True)
class Styles:
    """The sheet of styles.

    target_things: for each style the things whose pictures a prompt is searched for. other_things: the things that are
    painted with it, the same for all styles. Things have their article: "a fox". fronts, words: what a caption says
    of a style in front of a thing, and after it.
    """

    target_things: dict[str, list[str]]
    other_things: list[str]
    fronts: dict[str, str]
    words: dict[str, str]
    sheet: Image.Image

    @property
    def names(self) -> list[str]:
        """The styles, one in each row of the sheet."""
        return list(self.target_things)

    def picture(self, style: str, thing: str) -> Image.Image:
        """The picture RGB [64 x 64] of a thing in a style."""
        row, column = self.names.index(style), [*self.target_things[style], *self.other_things].index(thing)
        corner = (column * SIDE, row * SIDE)
        return self.sheet.crop((*corner, corner[0] + SIDE, corner[1] + SIDE))

    def caption(self, style: str, thing: str) -> str:
        """What a picture of the thing in the style is called."""
        return f"{self.fronts[style]} {thing}".strip()


def styles() -> Styles:
    """The sheet that is part of the repository, drawn by `training.style_pictures`."""
    told = json.loads((HERE / "styles.json").read_text("utf-8"))
    with Image.open(HERE / "styles.png") as sheet:
        return Styles(**told, sheet=sheet.convert("RGB"))
