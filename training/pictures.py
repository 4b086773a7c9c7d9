"""Emoji scenes: one or two things on a colored background, and captions that describe them.

The glyphs are from Noto Color Emoji (SIL Open Font License 1.1), the names from the `emoji` package (BSD 3-Clause,
based on Unicode's CLDR). All random choices come from one `numpy.random.Generator`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import emoji
import numpy as np
from PIL import Image, ImageDraw, ImageFont

DEFAULT_FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
GLYPH_SIZE = 109  # the only size of the font's bitmaps
SINGLE_SIZES = (28, 32, 36, 40, 44, 48, 52, 56, 60)
PAIR_SIZES = (22, 24, 26, 28, 30, 32)

# Excluded: emoji that look alike at 64 pixels, that do not show what they are called, or whose names are not plain words.
UNREADABLE = re.compile(
    r"button|o’clock|-thirty|arrow|square|_circle|_diamond|banknote|exclamation|question|input|sign$|"
    r"moon_face|gibbous|quarter_moon|new_moon|keycap|symbol|room$|mailbox|speaker_|globe_|"
    r"mobile_phone_|no_|circled|registered|copyright|trade_mark|plus$|minus|divide|multiply|equals|"
    r"check_|cross_mark|wavy|loop|_suit|chart_|backhand|index|incoming|heavy|man’s|men’s|"
    r"ñ|[()!.]|diya|khanda|customs|currency|antenna_bars|diagonal_mouth|bags_under"
)
ZODIAC = {
    "aries", "taurus", "gemini", "cancer", "leo", "virgo", "libra", "scorpio",
    "sagittarius", "capricorn", "aquarius", "pisces", "ophiuchus",
}  # fmt: skip

COLORS = {
    "red": (214, 40, 40),
    "orange": (245, 130, 32),
    "yellow": (250, 210, 50),
    "green": (60, 160, 70),
    "blue": (45, 95, 200),
    "purple": (130, 60, 165),
    "pink": (245, 150, 190),
    "brown": (120, 78, 48),
    "black": (22, 22, 24),
    "white": (246, 246, 246),
    "grey": (135, 135, 138),  # as in the captions that the weights were trained on
}


@dataclass(frozen=True)
class Thing:
    """One emoji: its name in words, its main color (or None), its glyph as RGBA."""

    name: str
    color: str | None
    glyph: Image.Image


@dataclass(frozen=True)
class Scene:
    """What a picture shows, from left to right."""

    things: tuple[Thing, ...]
    background: str
    pattern: str


def load_things(font: Path = DEFAULT_FONT) -> list[Thing]:
    """All single-character emoji that are distinct at 64 pixels, in a fixed order."""
    if not font.is_file():
        raise FileNotFoundError(f"No font at {font}: install Debian's fonts-noto-color-emoji or give its path.")
    face = ImageFont.truetype(str(font), GLYPH_SIZE)
    blank = _glyph("\U0010ffff", face)
    things = []
    for character, entry in sorted(emoji.EMOJI_DATA.items()):
        name = entry["en"].strip(":")
        if entry["status"] != emoji.STATUS["fully_qualified"] or len(character.replace("\ufe0f", "")) != 1:
            continue
        words = name.replace("_", " ").replace("-", " ").lower()
        if UNREADABLE.search(name) or words in ZODIAC:
            continue
        glyph = _glyph(character, face)
        if glyph is None or (blank is not None and glyph.tobytes() == blank.tobytes()):
            continue  # the font lacks it
        things.append(Thing(words, _main_color(glyph), glyph))
    return things


def _glyph(character: str, face: ImageFont.FreeTypeFont) -> Image.Image | None:
    canvas = Image.new("RGBA", (160, 160))
    ImageDraw.Draw(canvas).text((12, 12), character, font=face, embedded_color=True)
    box = canvas.getbbox()
    return canvas.crop(box) if box else None


def _main_color(glyph: Image.Image) -> str | None:
    """The named color nearest to at least 55 % of the glyph's opaque pixels, or None."""
    pixels = np.asarray(glyph).reshape(-1, 4).astype(np.float32)
    pixels = pixels[pixels[:, 3] > 200, :3]
    if not len(pixels):
        return None
    table = np.array(list(COLORS.values()), np.float32)
    nearest = ((pixels[:, None] - table) ** 2).sum(-1).argmin(1)
    share = np.bincount(nearest, minlength=len(table)) / len(pixels)
    return list(COLORS)[share.argmax()] if share.max() >= 0.55 else None


class EmojiPictures:
    """Chooses and draws scenes.

    `size` is the side of the pictures in pixels; all other lengths scale with it.
    """

    def __init__(self, font: Path = DEFAULT_FONT, size: int = 64):
        self.size = size
        self.things = load_things(font)
        self._sprites: dict[tuple[int, int], np.ndarray] = {}
        self._place = {thing.name: i for i, thing in enumerate(self.things)}

    def scenes(self, rng: np.random.Generator, count: int) -> list[Scene]:
        """`count` scenes, about half of them pairs. No thing repeats while there are enough of them."""
        order = iter(rng.permutation(np.resize(rng.permutation(len(self.things)), 2 * count)).tolist())
        scenes = []
        for pair in rng.random(count) < 0.5:
            first = next(order)
            chosen = [first]
            if pair:
                second = next(order)
                chosen.append(second if second != first else (second + 1) % len(self.things))
            pattern = rng.choice(["plain", "plain", "gradient", "noisy", "striped", "dotted"])
            scenes.append(Scene(tuple(self.things[i] for i in chosen), str(rng.choice(list(COLORS))), str(pattern)))
        return scenes

    def draw(self, rng: np.random.Generator, scene: Scene) -> np.ndarray:
        """The scene as uint8 [size, size, 3], with random sizes, positions and shades."""
        picture = self._background(rng, scene)
        unit = self.size / 64
        if len(scene.things) == 1:
            side = int(rng.choice(SINGLE_SIZES) * unit)
            boxes = [(0, self.size, side)]
        else:
            half = self.size // 2
            boxes = [
                (0, half, int(rng.choice(PAIR_SIZES) * unit)),
                (half, self.size, int(rng.choice(PAIR_SIZES) * unit)),
            ]
        for thing, (left, right, side) in zip(scene.things, boxes, strict=True):
            sprite = self._sprite(thing, side)
            height, width = sprite.shape[:2]
            x = left + int(rng.integers(0, max(right - left - width, 0) + 1))
            y = int(rng.integers(0, max(self.size - height, 0) + 1))
            region = picture[y : y + height, x : x + width]
            alpha = sprite[..., 3:]
            region += (sprite[..., :3] - region) * alpha
        return picture.clip(0, 255).astype(np.uint8)

    def _background(self, rng: np.random.Generator, scene: Scene) -> np.ndarray:
        size = self.size
        base = np.array(COLORS[scene.background], np.float32) + rng.normal(0, 8, 3).astype(np.float32)
        picture = np.empty((size, size, 3), np.float32)
        picture[:] = base
        darker = base * 0.78 + (40 if scene.background == "black" else 0)
        if scene.pattern == "gradient":
            ramp = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
            picture += (darker - base) * (ramp if rng.random() < 0.5 else ramp[::-1])
        elif scene.pattern == "noisy":
            picture += rng.normal(0, 10, (size, size, 1)).astype(np.float32)
        elif scene.pattern == "striped":
            width = max(int(rng.integers(4, 9) * size / 64), 1)
            stripes = (np.arange(size) // width) % 2 == 1
            if rng.random() < 0.5:
                picture[stripes] = darker
            else:
                picture[:, stripes] = darker
        elif scene.pattern == "dotted":
            pitch = int(rng.integers(8, 13) * size / 64)
            grid = np.arange(size) % pitch - pitch / 2
            picture[(grid[:, None] ** 2 + grid[None] ** 2) < (pitch / 4) ** 2] = darker
        return picture

    def _sprite(self, thing: Thing, side: int) -> np.ndarray:
        key = (self._place[thing.name], side)
        if key not in self._sprites:
            glyph = thing.glyph
            scale = side / max(glyph.size)
            shape = (max(round(glyph.width * scale), 1), max(round(glyph.height * scale), 1))
            sprite = np.asarray(glyph.resize(shape, Image.Resampling.BICUBIC, reducing_gap=None)).astype(np.float32)
            sprite[..., 3] /= 255
            self._sprites[key] = sprite
        return self._sprites[key]


def full_caption(scene: Scene) -> str:
    """The complete caption in one fixed form, as `train.retrieval` ranks it."""
    things = " and ".join(_phrase(thing, thing.color) for thing in scene.things)
    return f"{things} on {_with_article(_background_words(scene))} background"


def caption(rng: np.random.Generator, scene: Scene, long: bool = False) -> str:
    """A random caption of the scene: complete, partial, or a plain list of words.

    `long` joins several of them, so that training also covers the later positions of the context.
    """
    if long:
        return " ".join(caption(rng, scene) for _ in range(int(rng.integers(2, 7))))
    way = rng.random()
    if way < 0.30:
        return full_caption(scene)
    if way < 0.45:
        words = [word for thing in scene.things for word in (thing.color, *thing.name.split()) if word]
        words += [scene.background, *(["background"] if rng.random() < 0.5 else [])]
        return " ".join(rng.permutation(words)) if rng.random() < 0.6 else " ".join(words)
    named = [
        _phrase(thing, thing.color if rng.random() < 0.5 else None, article=rng.random() < 0.6)
        for thing in scene.things
    ]
    joined = str(rng.choice([" and ", ", ", " next to ", " with ", " "])).join(named)
    start = str(
        rng.choice(["", "", "", "a picture of ", "an emoji of ", "a photo of ", "a small drawing of ", "icon of "])
    )
    background = _background_words(scene) if rng.random() < 0.6 else scene.background
    end = str(
        rng.choice(
            [
                "",
                f" on {background}",
                f" on {_with_article(background)} background",
                f", {background} background",
                f" {background}",
            ]
        )
    )
    return start + joined + end


def distractor(rng: np.random.Generator, scene: Scene, words: list[str]) -> str:
    """A wrong text for the scene: its caption with words replaced, or mostly random words.

    A search tries texts that no person would write. A model trained with such texts as wrong answers scores them low.
    """
    told = caption(rng, scene).split()
    if rng.random() < 0.5:
        for place in rng.choice(len(told), size=min(int(rng.integers(1, 3)), len(told)), replace=False):
            told[place] = str(rng.choice(words))
        return " ".join(told)
    salad = [str(word) for word in rng.choice(words, int(rng.integers(2, 15)))]
    kept = [str(word) for word in rng.choice(told, int(rng.integers(0, 3)))]
    return " ".join(str(word) for word in rng.permutation(salad + kept))


def _phrase(thing: Thing, color: str | None, article: bool = True) -> str:
    named = not color or not COLORS.keys().isdisjoint(thing.name.split())
    words = thing.name if named else f"{color} {thing.name}"
    return _with_article(words) if article else words


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _background_words(scene: Scene) -> str:
    named = scene.pattern in ("striped", "dotted")
    return f"{scene.pattern} {scene.background}" if named else scene.background
