"""How often the right caption comes first, in trained styles and outside of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from open_clip import CLIP

from .model import encode_pictures, encode_text
from .tokens import Rows
from .world import TRAINED_SETS, Group, Scene, World, full_caption
from .world.colors import COLORS

EVALUATION_SEED = 10_000  # never a training seed
CANDIDATES = 256
ALONE = ("noto", "fluent-flat", "twemoji")  # the sets whose drawings are shown alone on plain grounds


class Evaluation:
    """The worlds that a model is measured in. `styles`: those that it is trained on."""

    def __init__(self, world: World, drawings: Path, styles: Sequence[str]):
        self.styles = tuple(styles)
        self.trained = world
        self.shifted = World(drawings, world.device, sets=("twemoji",), styles=("plain",))

    def measures(self, model: CLIP, rows: Rows) -> Iterator[tuple[str, float]]:
        """Names of measures, and the share of pictures whose own caption ranks first among those of 256 scenes."""
        limited = self.trained.limited
        yield "trained styles", self._retrieval(model, rows, limited(self.styles), 4)
        for style in self.styles:
            yield style, self._retrieval(model, rows, limited((style,)))
        yield "twemoji", self._retrieval(model, rows, self.shifted, 4)
        yield "things held back", self._retrieval(model, rows, limited(self.styles, held_out=True), 4)
        yield from self.alone(model, rows)

    def alone(self, model: CLIP, rows: Rows) -> Iterator[tuple[str, float]]:
        """256 things that all sets draw, on plain grounds, with captions "a NAME on a COLOR background"."""
        rng = np.random.default_rng(EVALUATION_SEED)
        things = self.trained.drawn_by_all((*TRAINED_SETS, "twemoji"))
        things = [things[i] for i in rng.permutation(len(things))[:CANDIDATES]]
        colors = [str(color) for color in rng.choice(list(COLORS), len(things))]
        for name in ALONE:
            world = self.trained if name in self.trained.sets else self.shifted
            style = "flat icon" if name == "fluent-flat" else "plain"
            scenes = [Scene((Group(t, name),), color=c, style=style) for t, c in zip(things, colors, strict=True)]
            captions = [f"a {t.name} on a {c} background" for t, c in zip(things, colors, strict=True)]
            yield f"{name} alone", _first(model, rows, world, rng, scenes, captions)

    def _retrieval(self, model: CLIP, rows: Rows, world: World, rounds: int = 1) -> float:
        rng = np.random.default_rng(EVALUATION_SEED)
        shares = []
        for _ in range(rounds):
            scenes = world.scenes(rng, CANDIDATES)
            shares.append(_first(model, rows, world, rng, scenes, [full_caption(scene) for scene in scenes]))
        return sum(shares) / rounds


@torch.no_grad()
def _first(
    model: CLIP, rows: Rows, world: World, rng: np.random.Generator, scenes: Sequence[Scene], captions: Sequence[str]
) -> float:
    pictures = world.draw(world.lay_out(rng, scenes)).float() / 255
    image = encode_pictures(model, pictures)
    text = encode_text(model, rows(captions).to(world.device))
    return (image @ text.T).argmax(-1).eq(torch.arange(len(scenes), device=world.device)).float().mean().item()
