"""What can be drawn: things with their names, and where their drawings are."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SETS = (
    "noto",
    "blob",
    "fluent-flat",
    "fluent-3d",
    "fluent-contrast",
    "fxemoji",
    "emojione",
    "emojione-mono",
    "twemoji",
)
TRAINED_SETS = tuple(name for name in SETS if name != "twemoji")  # Twemoji is the shift of domain in measurements
HELD_OUT_SHARE = 0.05


@dataclass(frozen=True)
class Thing:
    """One thing: its name, other words for it, words for its kind, and the set names with its main color there."""

    index: int
    name: str
    plural: str
    synonyms: tuple[str, ...]
    kinds: tuple[str, ...]
    colors: dict[str, str | None]  # its sets are the keys

    def __hash__(self) -> int:
        return self.index


def load_things(drawings: Path) -> list[Thing]:
    """All things of the folder that `training.drawings` made, in a fixed order.

    Raises FileNotFoundError for a folder without drawings.
    """
    file = drawings / "things.json"
    if not file.is_file():
        raise FileNotFoundError(f"No drawings in {drawings}: make them with `python -m training.drawings {drawings}`.")
    entries = json.loads(file.read_text("utf-8"))["things"]
    return [
        Thing(i, e["name"], plural(e["name"]), tuple(e["synonyms"]), tuple(e["kinds"]), e["colors"])
        for i, e in enumerate(entries)
    ]


def load_drawings(drawings: Path, sets: tuple[str, ...]) -> np.ndarray:
    """uint8 [len(sets), things, side, side, 4]: the drawings of whole sets, empty where a set lacks the thing."""
    about = json.loads((drawings / "things.json").read_text("utf-8"))
    side, columns, count = about["side"], about["columns"], len(about["things"])
    sheets = []
    for name in sets:
        with Image.open(drawings / f"{name}.webp") as sheet:
            cells = np.asarray(sheet.convert("RGBA")).reshape(-1, side, columns, side, 4).swapaxes(1, 2)
        sheets.append(cells.reshape(-1, side, side, 4)[:count])
    return np.stack(sheets)


def held_out_things(things: list[Thing]) -> frozenset[int]:
    """The indices of the 5 % of things that no training picture shows.

    Only a thing of several words, each of which occurs in the names of other things too, can be one of them: a model
    has met the words, though never together. A hash of the name chooses, so that the choice depends on nothing
    else.
    """
    words = Counter(word for thing in things for word in set(thing.name.split()))
    fit = [thing for thing in things if " " in thing.name and all(words[word] >= 3 for word in thing.name.split())]
    order = sorted(fit, key=lambda thing: hashlib.sha256(thing.name.encode()).hexdigest())
    return frozenset(thing.index for thing in order[: round(HELD_OUT_SHARE * len(things))])


_IRREGULAR = {
    "man": "men", "woman": "women", "person": "people", "child": "children", "mouse": "mice", "goose": "geese",
    "tooth": "teeth", "foot": "feet", "ox": "oxen", "leaf": "leaves", "knife": "knives", "wolf": "wolves", "loaf": "loaves",
    "scarf": "scarves", "fireman": "firemen", "snowman": "snowmen", "policewoman": "policewomen",
}  # fmt: skip
_UNCHANGED = {
    "sheep",
    "fish",
    "deer",
    "shrimp",
    "squid",
    "scissors",
    "glasses",
    "sunglasses",
    "shorts",
    "jeans",
    "bison",
}
_JOINTS = {"with", "of", "in", "on", "behind", "without", "at", "for", "from", "and", "over", "under", "to", "taking",
           "tilted", "holding", "getting", "playing", "rolling", "walking", "running", "standing"}  # fmt: skip


def plural(name: str) -> str:
    """The plural of a thing's name, by its head: "face with tears of joy" becomes "faces with tears of joy"."""
    words = name.split()
    head = next((i - 1 for i, word in enumerate(words) if i and word in _JOINTS), len(words) - 1)
    if words[0] in ("person", "man", "woman") and len(words) > 1 and words[1].endswith("ing"):
        head = 0  # "person surfing"
    words[head] = _plural_word(words[head])
    return " ".join(words)


def _plural_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _UNCHANGED or (word.endswith("s") and not word.endswith(("ss", "us"))):
        return word
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word in ("potato", "tomato", "mango", "hero", "volcano", "tornado") else "s")
