"""Draws the pictures that are part of the repository.

    python -m training.shipped_pictures [--drawings .drawings]

Two samples go next to the embedded model; the other samples there are older and stay as they are. Sheets of held-out
pictures and their captions go to `benchmarks/pictures`, so that tests and benchmarks need no drawings.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from benchmarks.pictures import ABOUT, COLUMNS, OTHER_THINGS, SIDE, STYLE_SHEET, sheet_of
from training.evaluation import EVALUATION_SEED
from training.world import STYLES, Group, Scene, World, full_caption
from training.world.dice import Dice
from training.world.scenes import random_ground

SAMPLES = Path("pez_core/embedded/samples")
SAMPLE_SIZE = 256
COUNT = 256
PER_STYLE = 4
SHOWN = {  # name: thing, set of drawings, ground, color of the ground, style
    "fox-watercolor": ("fox", "noto", "snow", "white", "watercolor"),
    "rocket-pixel-art": ("rocket", "fluent-flat", "night sky", "black", "pixel art"),
}


def draw_samples(drawings: Path) -> None:
    large = World(drawings, size=SAMPLE_SIZE)
    by_name = {thing.name: thing for thing in large.things}
    rng = np.random.default_rng(EVALUATION_SEED + 1)
    for name, (thing, drawn_by, ground, color, style) in SHOWN.items():
        scene = Scene((Group(by_name[thing], drawn_by),), spot="center", ground=ground, color=color, style=style)
        layouts = large.lay_out(rng, [scene])
        layouts.placed[:, :, 2] = 0.7  # the side, for a thing that fills the sample
        layouts.placed[:, :, 3:6] = layouts.placed.new_tensor((0.0, 1.0, 0.0))  # upright, not mirrored
        Image.fromarray(_image(large.draw(layouts))[0]).save(SAMPLES / f"{name}.png", optimize=True)


def draw_sheets(drawings: Path) -> None:
    about = {}
    sheets = (("trained", None, STYLES), ("twemoji", ("twemoji",), ("plain",)), ("plain", None, ("plain",)))
    for name, sets, styles in sheets:
        world = World(drawings, styles=styles, **({"sets": sets} if sets else {}))
        rng = np.random.default_rng(EVALUATION_SEED + 2)
        about[name] = _write(world, rng, world.scenes(rng, COUNT), sheet_of(name), COLUMNS)
    world = World(drawings)
    rng = np.random.default_rng(EVALUATION_SEED + 3)
    scenes = [scene for style in STYLES for scene in _of_style(world.limited((style,)), rng)]
    about["styles"] = _write(world, rng, scenes, STYLE_SHEET, PER_STYLE)
    scenes = [scene for style in STYLES for scene in _others(world.limited((style,)), rng)]
    about["others"] = _write(world, rng, scenes, sheet_of("others"), len(OTHER_THINGS))
    ABOUT.write_text(json.dumps(about, indent=0) + "\n", "utf-8")


def _of_style(world: World, rng: np.random.Generator) -> list[Scene]:
    """Scenes of one style that differ in everything else: one thing each, neither small nor in a corner."""
    made: list[Scene] = []
    while len(made) < PER_STYLE:
        for scene in world.scenes(rng, 64):
            first = scene.groups[0]
            if (
                len(scene.groups) == first.count == 1
                and not first.tinted
                and first.size != "small"
                and len(made) < PER_STYLE
            ):
                made.append(replace(scene, spot=""))
    return made


def _others(world: World, rng: np.random.Generator) -> list[Scene]:
    """Scenes of one style with each of OTHER_THINGS alone."""
    (style,), dice = world.styles, Dice(rng)
    made = []
    for name in OTHER_THINGS:
        thing = next(thing for thing in world.things if thing.name == name)
        drawn_by = dice.pick([each for each in world.styles[style] if each in thing.colors])
        ground, color = random_ground(dice, style)
        made.append(Scene((Group(thing, drawn_by),), ground=ground, color=color, style=style))
    return made


def _write(
    world: World, rng: np.random.Generator, scenes: Sequence[Scene], file: Path, columns: int
) -> list[dict[str, str]]:
    pictures = _image(world.draw(world.lay_out(rng, scenes)))
    sheet = pictures.reshape(-1, columns, SIDE, SIDE, 3).swapaxes(1, 2).reshape(-1, columns * SIDE, 3)
    Image.fromarray(sheet).save(file, optimize=True)
    return [
        {"caption": full_caption(scene), "style": scene.style, "thing": scene.groups[0].thing.name} for scene in scenes
    ]


def _image(pictures: Tensor) -> np.ndarray:
    return pictures.permute(0, 2, 3, 1).cpu().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=Path, default=Path(".drawings"), metavar="FOLDER")
    given = parser.parse_args()
    draw_samples(given.drawings)
    draw_sheets(given.drawings)


if __name__ == "__main__":
    main()
