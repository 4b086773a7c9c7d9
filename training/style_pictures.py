"""Draws the sheet of styles that `benchmarks.painting` uses.

    python -m training.style_pictures --drawings DIR

Each row is a style: pictures of four things to search a prompt for, different ones in each row, then of the five things
that are painted with it. All are alone in their pictures, on grounds that the style can show.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.world import STYLES, Group, Scene, Thing, World
from training.world.captions import STYLE_WORDS
from training.world.dice import Dice
from training.world.scenes import random_ground

FOLDER = Path("benchmarks/pictures")
SEED = 10_003  # never a training seed
TARGETS = 4
OTHERS = ("fox", "guitar", "house", "banana", "rocket")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=Path, required=True, metavar="DIR", help="made by training.drawings")
    world = World(parser.parse_args().drawings)
    rng = np.random.default_rng(SEED)
    dice = Dice(rng)
    others = [next(thing for thing in world.things if thing.name == name) for name in OTHERS]
    free = [thing for thing in world.things if thing.name not in OTHERS]
    order = iter(rng.permutation(len(free)).tolist())
    targets: dict[str, list[Thing]] = {}
    scenes: list[Scene] = []
    for style in STYLES:
        drawable = (free[i] for i in order if _sets(world, style, free[i]))
        targets[style] = [next(drawable) for _ in range(TARGETS)]
        for thing in (*targets[style], *others):
            drawn_by = dice.pick(_sets(world, style, thing))
            ground, color = random_ground(dice, style)
            scenes.append(Scene((Group(thing, drawn_by),), ground=ground, color=color, style=style))
    pictures = world.draw(world.lay_out(rng, scenes)).unflatten(0, (len(STYLES), -1))  # [styles, things, 3, 64, 64]
    sheet = pictures.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)
    Image.fromarray(sheet.numpy()).save(FOLDER / "styles.png", optimize=True)
    about = {
        "target_things": {style: [_named(thing) for thing in things] for style, things in targets.items()},
        "other_things": [_named(thing) for thing in others],
        "fronts": {style: STYLE_WORDS[style][0][0] for style in STYLES},
        "words": {style: next((word for word in STYLE_WORDS[style][1] if word), "") for style in STYLES},
    }
    (FOLDER / "styles.json").write_text(json.dumps(about, indent=0) + "\n", "utf-8")


def _sets(world: World, style: str, thing: Thing) -> list[str]:
    return [name for name in world.styles[style] if name in thing.colors]


def _named(thing: Thing) -> str:
    return f"{'an' if thing.name[0] in 'aeiou' else 'a'} {thing.name}"


if __name__ == "__main__":
    main()
