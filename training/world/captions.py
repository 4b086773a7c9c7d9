"""Sentences about scenes: complete, partial, and wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .colors import COLORS
from .dice import Dice
from .scenes import GROUNDS, ON_PAPER, PATTERNS, PLACES, UNCOLORED, Group, Scene
from .things import Thing

NUMBERS = ("", "a", "two", "three", "four")
SIZES = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
SPOTS = {
    "": ("",),
    "left": ("on the left", "at the left", "on the left side"),
    "right": ("on the right", "at the right", "on the right side"),
    "top": ("at the top", "near the top"),
    "bottom": ("at the bottom", "near the bottom"),
    "top left": ("in the top left corner", "in the upper left corner"),
    "top right": ("in the top right corner", "in the upper right corner"),
    "bottom left": ("in the bottom left corner", "in the lower left corner"),
    "bottom right": ("in the bottom right corner", "in the lower right corner"),
    "center": ("in the center", "in the middle"),
}
# First those that tell the order of the two; the second of them begins with the other thing.
BESIDE = ("to the left of", "left of", "beside", "next to", "near", "and", "with", "and", ",")
BESIDE_TURNED = ("to the right of", "right of")
STACKED = ("on top of", "above", "over", "on", "and", "with")
STACKED_TURNED = ("under", "below", "underneath", "beneath")
GROUND_WORDS = {
    "meadow": ("on grass under a blue sky", "in a meadow", "in a green field", "on a lawn", "outdoors on the grass"),
    "sea": ("in front of the sea", "at the beach", "by the ocean", "at the seaside", "by the water"),
    "night sky": ("under a night sky", "at night", "under the stars", "in a starry sky", "in the dark night"),
    "snow": ("in the snow", "on a snowy hill", "in winter", "in a snowy landscape"),
    "desert": ("in the desert", "on a sand dune", "on hot sand", "in a sandy desert"),
    "room": ("in a room", "in front of a wall", "indoors", "on a wooden floor"),
}
PATTERN_WORDS = {
    "plain": ("", "plain", "simple", "solid"),
    "gradient": ("gradient", "shaded", "fading"),
    "striped": ("striped", "stripy"),
    "checked": ("checked", "checkered", "checkerboard"),
    "dotted": ("dotted", "polka dot", "spotted"),
}
# In front of the things, and after them.
STYLE_WORDS = {
    "plain": (("", "", "", "", "an emoji of", "a picture of", "an image of", "a drawing of", "a cartoon of", "a photo of"),
              ("", "", "", "emoji", "picture", "cartoon", "clip art")),
    "flat icon": (("a flat icon of", "an icon of", "a flat design of", "a vector icon of", "a flat graphic of"),
                  ("flat icon", "flat design", "vector graphic", "minimal flat style")),
    "3D render": (("a 3D render of", "a 3D model of", "a glossy 3D render of", "a plastic toy of"),
                  ("3D render", "3D rendering", "glossy 3D", "computer graphics")),
    "line drawing": (("a line drawing of", "an outline of", "an ink drawing of", "line art of"),
                     ("line drawing", "line art", "outline", "ink on paper")),
    "pixel art": (("pixel art of", "a pixel art picture of", "an 8 bit game sprite of", "a pixelated picture of"),
                  ("pixel art", "8 bit", "pixelated", "retro video game style")),
    "pencil sketch": (("a pencil sketch of", "a sketch of", "a pencil drawing of", "a rough sketch of"),
                      ("pencil sketch", "pencil drawing", "graphite on paper", "sketched by hand")),
    "black and white": (("a black and white picture of", "a monochrome picture of", "a black and white photo of"),
                        ("black and white", "monochrome", "grayscale")),
    "sepia": (("a sepia picture of", "an old sepia photograph of", "a vintage photo of"),
              ("sepia", "sepia tone", "vintage photograph", "old photo")),
    "blurry": (("a blurry picture of", "a blurred photo of", "an out of focus picture of"),
               ("blurry", "blurred", "out of focus", "soft focus")),
    "neon": (("a neon sign of", "neon lights in the shape of", "a glowing neon picture of"),
             ("neon", "neon sign", "neon lights", "glowing in the dark")),
    "watercolor": (("a watercolor of", "a watercolor painting of", "an aquarelle of", "a painting of"),
                   ("watercolor", "watercolor painting", "aquarelle", "wet paint on paper")),
}  # fmt: skip
OPENINGS = ("", "", "", "there is", "this is", "a scene with", "showing")


def full_caption(scene: Scene) -> str:
    """The complete caption in one fixed form, which retrieval ranks."""
    named = [_phrase(None, group) for group in scene.groups]
    if scene.order == "beside":
        told = f"{named[0]} to the left of {named[1]}"
    elif scene.order == "stacked":
        told = f"{named[0]} on top of {named[1]}"
    else:
        told = _listed(named)
    return _joined(STYLE_WORDS[scene.style][0][0], told, SPOTS[scene.spot][0], _ground(None, scene))


def caption(rng: np.random.Generator | Dice, scene: Scene) -> str:
    """A random caption of the scene: complete, partial, or a plain list of words."""
    dice = Dice.of(rng)
    way = dice.number()
    if way < 0.12:
        return full_caption(scene)
    if way < 0.27:
        return _word_list(dice, scene)
    if way < 0.34:  # what a person types to get a kind of picture: things first, then words for the style
        parts = [
            _listed([_phrase(dice, g) for g in scene.groups]),
            dice.pick(STYLE_WORDS[scene.style][1]),
            _ground(dice, scene),
        ]
        return ", ".join(part for part in parts if part)
    told = _told(dice, scene)
    spot = dice.pick(SPOTS[scene.spot]) if dice.chance(0.7) else ""
    ground = _ground(dice, scene) if dice.chance(0.65) else ""
    front, after = STYLE_WORDS[scene.style]
    style = dice.number()
    if style < 0.55:
        return _joined(dice.pick(front), told, spot, ground)
    if style < 0.8:
        word = dice.pick(after)
        return _joined(told, spot, ground) + (f", {word}" if word else "")
    return _joined(dice.pick(OPENINGS), told, spot, ground)


def distractor(rng: np.random.Generator | Dice, scene: Scene, words: Sequence[str]) -> str:
    """A wrong text for the scene: a caption with words replaced, a caption with a turned fact, or mostly random words.

    A search tries texts that no person would write. A model trained with such texts as wrong answers scores them low.
    """
    dice = Dice.of(rng)
    if dice.chance(0.2):
        return full_caption(_turned(dice, scene))
    told = caption(dice, scene).split()
    if dice.chance(0.5):
        for _ in range(min(dice.whole(1, 2), len(told))):
            told[dice.whole(0, len(told) - 1)] = dice.pick(words)
        return " ".join(told)
    salad = [dice.pick(words) for _ in range(dice.whole(2, 14))] + [dice.pick(told) for _ in range(dice.whole(0, 2))]
    return " ".join(dice.shuffled(salad))


def _turned(dice: Dice, scene: Scene) -> Scene:
    """The scene with one fact changed: order, count, size, ground or the color of the ground."""
    groups, way = scene.groups, dice.whole(0, 3)
    if way == 0 and len(groups) > 1 and groups[0].thing is not groups[1].thing:
        return replace(scene, groups=groups[::-1])
    if way <= 1:
        first = replace(groups[0], count=groups[0].count % 4 + 1, size="")
        return replace(scene, groups=(first, *groups[1:]))
    if way == 2 and scene.style not in ON_PAPER:
        return replace(scene, ground=dice.pick([ground for ground in GROUNDS if ground != scene.ground]))
    if scene.ground in PATTERNS and scene.style not in UNCOLORED:
        return replace(scene, color=dice.pick([color for color in COLORS if color != scene.color]))
    first = replace(groups[0], size={"": "small", "small": "large", "large": "small"}[groups[0].size])
    return replace(scene, groups=(first, *groups[1:]))


def words_of(things: Sequence[Thing], styles: Sequence[str]) -> list[str]:
    """Every word that captions can use, sorted."""
    texts = [*COLORS, *NUMBERS, *OPENINGS, *BESIDE, *BESIDE_TURNED, *STACKED, *STACKED_TURNED]
    texts += ["an", "the", "some", "in light", "on a dark background", "white paper"]
    texts += [text for some in (SIZES, SPOTS, GROUND_WORDS, PATTERN_WORDS) for words in some.values() for text in words]
    texts += [text for style in styles for words in STYLE_WORDS[style] for text in words]
    texts += [text for t in things for text in (t.name, t.plural, *t.synonyms, *t.kinds)]
    return sorted({word for text in texts for word in text.lower().split()})


def _told(dice: Dice, scene: Scene) -> str:
    named = [_phrase(dice, group) for group in scene.groups]
    if len(named) == 1:
        return named[0]
    if len(named) == 2 and dice.chance(0.12):
        return dice.pick(named)  # a caption need not name everything
    if scene.order in ("beside", "stacked"):
        plain, turned = (BESIDE, BESIDE_TURNED) if scene.order == "beside" else (STACKED, STACKED_TURNED)
        if dice.chance(0.25):
            return f"{named[1]} {dice.pick(turned)} {named[0]}"
        return f"{named[0]} {dice.pick(plain)} {named[1]}".replace(" ,", ",")
    return _listed(named)


def _listed(named: Sequence[str]) -> str:
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _word_list(dice: Dice, scene: Scene) -> str:
    """What search results look like: the telling words alone, in any order."""
    words: list[str] = []
    for group in scene.groups:
        words += [group.color] if group.color and dice.chance(0.6) else []
        words += [dice.pick(SIZES[group.size])] if group.size and dice.chance(0.5) else []
        words += _name(dice, group).split()
        words += [dice.pick(group.thing.kinds)] if group.thing.kinds and dice.chance(0.4) else []
    if dice.chance(0.7):
        words += _ground(dice, scene).split()
    if dice.chance(0.7):
        words += dice.pick(STYLE_WORDS[scene.style][1]).split()
    words = [word for word in words if word not in ("a", "an", "on", "in", "the", "of")]
    return " ".join(dice.shuffled(words) if dice.chance(0.6) else words)


def _name(dice: Dice | None, group: Group) -> str:
    if dice is not None and group.thing.synonyms and dice.chance(0.2):
        return dice.pick(group.thing.synonyms)
    return group.thing.name if group.count == 1 else group.thing.plural


def _phrase(dice: Dice | None, group: Group) -> str:
    """The group with its count, size and color; all of them where no dice are given."""
    words = _name(dice, group)
    told = dice is None or group.tinted or dice.chance(0.5)
    if told and group.color and COLORS.keys().isdisjoint(words.split()):
        words = f"{group.color} {words}"
    if group.size and (dice is None or dice.chance(0.75)):
        words = f"{SIZES[group.size][0] if dice is None else dice.pick(SIZES[group.size])} {words}"
    if group.count > 1:
        return f"{NUMBERS[group.count] if dice is None or dice.chance(0.85) else 'some'} {words}"
    if dice is not None and dice.chance(0.2):
        return f"the {words}" if dice.chance(0.2) else words
    return _with_article(words)


def _ground(dice: Dice | None, scene: Scene) -> str:
    if scene.style == "neon":
        return f"in {scene.color} light" if dice is None or dice.chance(0.7) else "on a dark background"
    if scene.style in ("line drawing", "pencil sketch"):
        return "on white paper" if dice is None else dice.pick(("on white paper", "on paper", "on a white background"))
    if scene.ground in PLACES:
        return GROUND_WORDS[scene.ground][0] if dice is None else dice.pick(GROUND_WORDS[scene.ground])
    pattern = PATTERN_WORDS[scene.ground][0] if dice is None else dice.pick(PATTERN_WORDS[scene.ground])
    color = (
        scene.color
        if scene.style != "sepia"
        else ("light" if scene.color == "white" else "dark" if scene.color == "black" else "")
    )
    words = _with_article(_joined(pattern, color, "background"))
    if dice is None or dice.chance(0.75):
        return f"on {words}"
    return _joined("on", pattern, color) if color else f"on {words}"


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
