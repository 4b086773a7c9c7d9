"""What a picture shows, before anything is placed or drawn."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from .colors import COLORS
from .dice import Dice
from .things import Thing

COLORED = ("noto", "blob", "fluent-flat", "fluent-3d", "fxemoji", "emojione", "twemoji")
# The styles, and the sets whose drawings show them. A style with one of the drawing sets only needs no filter.
STYLE_SETS = {
    "plain": ("noto", "blob", "emojione", "twemoji"),
    "flat icon": ("fluent-flat", "fxemoji", "twemoji"),
    "3D render": ("fluent-3d",),
    "line drawing": (*COLORED, "fluent-contrast", "emojione-mono"),
    "pixel art": COLORED,
    "pencil sketch": COLORED,
    "black and white": COLORED,
    "sepia": COLORED,
    "blurry": COLORED,
    "neon": COLORED,
    "watercolor": COLORED,
}
STYLES = tuple(STYLE_SETS)
UNCOLORED = {"line drawing", "pencil sketch", "black and white", "sepia", "neon"}  # where colors of things are lost
COARSE = {"pixel art", "blurry", "watercolor"}  # where small things cannot be told
ON_PAPER = {"line drawing", "pencil sketch", "neon"}  # where a ground is only a sheet

PATTERNS = ("plain", "gradient", "striped", "checked", "dotted")  # in any color
PLACES = ("meadow", "sea", "night sky", "snow", "desert", "room")
GROUNDS = PATTERNS + PLACES
NEON_COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")

SPOTS = ("", "left", "right", "top", "bottom", "top left", "top right", "bottom left", "bottom right", "center")
MOST = 6  # drawings in one picture


@dataclass(frozen=True)
class Group:
    """Some of one thing: `count` drawings from one set. `tinted`: painted in `color` throughout."""

    thing: Thing
    drawn_by: str
    count: int = 1
    size: str = ""  # "small", "large" or as it comes
    color: str | None = None
    tinted: bool = False


@dataclass(frozen=True)
class Scene:
    """Groups in their order (from left to right, or from top to bottom), on a ground, in a style."""

    groups: tuple[Group, ...]
    order: str = "alone"  # "alone", "beside", "stacked" or "row"
    spot: str = ""  # where a thing alone is, "" for anywhere
    ground: str = "plain"
    color: str = "white"  # of the ground; in neon, of the light
    style: str = "plain"


def styles_drawn_by(sets: Sequence[str], styles: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The styles that the sets can show, each with its sets."""
    found = {style: tuple(name for name in STYLE_SETS[style] if name in sets) for style in styles}
    return {style: names for style, names in found.items() if names}


def random_scene(dice: Dice, things: Sequence[Thing], style: str, sets: Sequence[str], order: Sequence[int]) -> Scene:
    """A scene of the first things of `order` (indices into `things`) that the sets draw."""
    kinds = _pick_by(dice, ((0.6, 1), (0.4, 2)) if style in COARSE else ((0.46, 1), (0.38, 2), (0.16, 3)))
    groups: list[Group] = []
    counts = [1] * kinds if style in COARSE and kinds > 1 else _counts(dice, kinds)
    for index in order:
        drawn_by = [name for name in sets if name in things[index].colors]
        if drawn_by:
            groups.append(_group(dice, things[index], dice.pick(drawn_by), counts[len(groups)], style, kinds))
        if len(groups) == kinds:
            break
    if len(groups) == 1:
        arrangement = "alone"
    else:
        arrangement = "row" if len(groups) == 3 else ("beside" if dice.chance(0.6) else "stacked")
    alone = len(groups) == 1 and groups[0].count == 1 and groups[0].size != "large"
    spot = dice.pick(SPOTS[1:]) if alone and dice.chance(0.4) else ""
    ground, color = random_ground(dice, style, {group.color for group in groups})
    return Scene(tuple(groups), arrangement, spot, ground, color, style)


def random_ground(dice: Dice, style: str, shown: Set[str | None] = frozenset()) -> tuple[str, str]:
    """A ground that the style can show, and its color, which is none of those that things on it have."""
    if style in ON_PAPER:
        return "plain", dice.pick(NEON_COLORS) if style == "neon" else "white"
    if style in UNCOLORED:
        return dice.pick(GROUNDS), dice.pick(("white", "gray", "black"))
    ground = dice.pick(PLACES) if dice.chance(0.3) else dice.pick(("plain", *PATTERNS))
    return ground, dice.pick([color for color in COLORS if color not in shown])


def _counts(dice: Dice, kinds: int) -> list[int]:
    if kinds == 1:
        return [_pick_by(dice, ((0.66, 1), (0.14, 2), (0.12, 3), (0.08, 4)))]
    return [_pick_by(dice, ((0.75, 1), (0.25, 2))) for _ in range(kinds)] if kinds == 2 else [1, 1, 1]


def _group(dice: Dice, thing: Thing, drawn_by: str, count: int, style: str, kinds: int) -> Group:
    size = _pick_by(dice, ((0.64, ""), (0.18, "small"), (0.18, "large"))) if count == 1 and kinds < 3 else ""
    size = "" if size == "small" and style in COARSE else size
    if style in UNCOLORED:
        return Group(thing, drawn_by, count, size)
    if dice.chance(0.1):
        return Group(thing, drawn_by, count, size, dice.pick(tuple(COLORS)), tinted=True)
    return Group(thing, drawn_by, count, size, thing.colors[drawn_by])


def _pick_by(dice: Dice, shares):
    left = dice.number()
    for share, choice in shares:
        left -= share
        if left < 0:
            return choice
    return shares[-1][1]
