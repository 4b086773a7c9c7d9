"""Draws the pictures that are part of the repository.

    python -m training.shipped_pictures

The samples go next to the embedded model. 256 held-out renders, one sheet of 16 x 16, and their captions go to
`benchmarks/pictures`, so that tests and benchmarks need no font.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.pictures import EmojiPictures, Scene, full_caption
from training.train import EVALUATION_SEED

SAMPLES = Path("pez_core/embedded/samples")
HELD_OUT = Path("benchmarks/pictures")
SAMPLE_SIZE = 256
SHOWN = {
    "penguin": (("penguin",), "blue", "plain"),
    "pizza": (("pizza",), "green", "gradient"),
    "octopus": (("octopus",), "yellow", "striped"),
    "cat-and-ball": (("cat face", "soccer ball"), "purple", "dotted"),
}


def main() -> None:
    SAMPLES.mkdir(parents=True, exist_ok=True)
    large = EmojiPictures(size=SAMPLE_SIZE)
    by_name = {thing.name: thing for thing in large.things}
    rng = np.random.default_rng(EVALUATION_SEED + 1)
    for name, (things, background, pattern) in SHOWN.items():
        scene = Scene(tuple(by_name[thing] for thing in things), background, pattern)
        Image.fromarray(large.draw(rng, scene)).save(SAMPLES / f"{name}.png", optimize=True)

    HELD_OUT.mkdir(parents=True, exist_ok=True)
    small = EmojiPictures()
    rng = np.random.default_rng(EVALUATION_SEED + 2)
    scenes = small.scenes(rng, 256)
    sheet = np.stack([small.draw(rng, scene) for scene in scenes])
    sheet = sheet.reshape(16, 16, 64, 64, 3).transpose(0, 2, 1, 3, 4).reshape(1024, 1024, 3)
    Image.fromarray(sheet).save(HELD_OUT / "heldout.png", optimize=True)
    captions = [full_caption(scene) for scene in scenes]
    (HELD_OUT / "heldout.json").write_text(json.dumps(captions, indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    main()
