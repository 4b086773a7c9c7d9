"""A small drawn world: things in several sets of drawings, on grounds, in styles, and sentences about them.

    world = World(Path(".drawings"))
    scenes = world.scenes(np.random.default_rng(1), 16)
    pictures = world.draw(world.lay_out(rng, scenes))
    texts = [caption(rng, scene) for scene in scenes]

Scenes, layouts and captions are made in plain Python and numpy, so that the processes of a data loader can make them;
pictures are drawn many at once with torch, on any device.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from .captions import caption, distractor, full_caption, words_of
from .dice import Dice
from .drawing import Painter
from .layout import Layouts, lay_out
from .scenes import STYLES, Group, Scene, random_scene, styles_drawn_by
from .things import SETS, TRAINED_SETS, Thing, held_out_things, load_drawings, load_things

__all__ = [
    "SETS",
    "STYLES",
    "TRAINED_SETS",
    "Group",
    "Layouts",
    "Scene",
    "Scenery",
    "Thing",
    "World",
    "caption",
    "distractor",
    "full_caption",
]  # fmt: skip


class Scenery:
    """The half of the world that needs no drawings: what may be in a picture, and where. Cheap to pickle."""

    def __init__(
        self, drawings: Path, sets: Sequence[str] = TRAINED_SETS, styles: Sequence[str] = STYLES, held_out: bool = False
    ):
        self._every = load_things(drawings)
        self._held = held_out_things(self._every)
        self.sets = tuple(sets)
        self.things = [t for t in self._every if (t.index in self._held) == held_out and self._draws(t)]
        self.styles = styles_drawn_by(sets, styles)
        self._set_place = {name: row for row, name in enumerate(self.sets)}
        self._drawing_of = np.arange(len(self.sets) * len(self._every)).reshape(len(self.sets), len(self._every))

    def scenes(self, rng: np.random.Generator, count: int) -> list[Scene]:
        """`count` random scenes, all styles equally often. No thing comes again before all have been there."""
        dice = Dice(rng, block=1024)
        order: list[int] = []
        made = []
        for _ in range(count):
            if len(order) < 8:  # a scene skips a thing that its sets lack
                order = rng.permutation(len(self.things)).tolist() + order
            style = dice.pick(tuple(self.styles))
            asked = [order.pop() for _ in range(min(8, len(order)))]
            scene = random_scene(dice, self.things, style, self.styles[style], asked)
            shown = {group.thing for group in scene.groups}
            order.extend(i for i in reversed(asked) if self.things[i] not in shown)
            made.append(scene)
        return made

    def lay_out(self, rng: np.random.Generator, scenes: Sequence[Scene]) -> Layouts:
        """Where everything in the scenes is, at random."""
        return lay_out(rng, scenes, self._drawing_of, self._set_place)

    def limited(self, styles: Sequence[str] = STYLES, held_out: bool = False) -> Self:
        """The same scenery with other styles, or with the things that are held back, sharing what it can."""
        other = copy(self)
        other.things = [t for t in self._every if (t.index in self._held) == held_out and self._draws(t)]
        other.styles = styles_drawn_by(self.sets, styles)
        return other

    def _draws(self, thing: Thing) -> bool:
        return any(name in thing.colors for name in self.sets)

    def words(self) -> list[str]:
        """Every word that captions of these scenes can use, sorted."""
        return words_of(self.things, tuple(self.styles))

    def drawn_by_all(self, sets: Sequence[str]) -> list[Thing]:
        """The things that each of the sets draws."""
        return [thing for thing in self.things if all(name in thing.colors for name in sets)]


class World(Scenery):
    """The world with its drawings, on a device.

    drawings: the folder that `training.drawings` made.
    size: the side of the pictures in pixels; all other lengths scale with it.
    sets, styles: what it is limited to.
    held_out: only the things whose names are held back from training, in all styles; else only the others.
    """

    def __init__(
        self,
        drawings: Path,
        device: str | torch.device = "cpu",
        size: int = 64,
        sets: Sequence[str] = TRAINED_SETS,
        styles: Sequence[str] = STYLES,
        held_out: bool = False,
    ):
        super().__init__(drawings, sets, styles, held_out)
        sheets = load_drawings(drawings, self.sets)
        self.device = torch.device(device)
        self._painter = Painter(sheets.reshape(-1, *sheets.shape[2:]), device, size)

    def scenery(self) -> Scenery:
        """This world without its drawings, for other processes."""
        other = object.__new__(Scenery)
        other.__dict__.update({k: v for k, v in self.__dict__.items() if k not in ("device", "_painter")})
        return other

    def draw(self, layouts: Layouts) -> Tensor:
        """uint8 [n, 3, size, size] on the world's device; the same for the same layouts."""
        return self._painter.draw(layouts)
