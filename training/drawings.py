"""Makes the local folder of drawings that the world is built from.

    python -m training.drawings .drawings [--side 64]

Fetches the packages in `PACKAGES` with npm and renders every thing of every set to RGBA. The folder then holds one
sheet for each set, and `things.json` with the names. Nothing of it is part of the repository. The drawings of one thing
in different sets have the same place in every sheet; a set that lacks the thing has an empty cell there.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from PIL import Image

from training.world.colors import main_color

CACHE = Path("out/packages")
NAMES = "emojibase-data@17.0.0"  # names and keywords of Unicode CLDR
PACKAGES = {
    "noto": "@iconify-json/noto@1.2.9",
    "blob": "@iconify-json/noto-v1@1.2.5",
    "fluent-flat": "@iconify-json/fluent-emoji-flat@1.2.6",
    "fluent-3d": "@lobehub/fluent-emoji-3d@1.1.0",
    "fluent-contrast": "@iconify-json/fluent-emoji-high-contrast@1.2.6",
    "fxemoji": "@iconify-json/fxemoji@1.2.2",
    "emojione": "@iconify-json/emojione@1.2.3",
    "emojione-mono": "@iconify-json/emojione-monotone@1.2.1",
    "twemoji": "@twemoji/svg@15.0.0",
}
GROUPS_LEFT_OUT = {2, 9}  # skin tones and hair; flags
LEAST_SETS = 3  # a thing that fewer sets draw says little about how it looks

# Excluded: emoji that look alike at 64 pixels, that do not show what they are called, or whose names are not plain words.
UNREADABLE = re.compile(
    r"button|o’clock|-thirty|thirty$|arrow|square|circle$|diamond|banknote|exclamation|question|input|sign$|"
    r"moon face|gibbous|quarter moon|new moon|keycap|symbol|room$|mailbox|speaker |globe |"
    r"mobile phone |^no |circled|registered|copyright|trade mark|^plus$|minus|divide|multiply|equals|"
    r"check |cross mark|wavy|loop|suit$|chart |backhand|index|incoming|heavy|man’s|men’s|"
    r"diya|khanda|customs|currency|antenna bars|diagonal mouth|bags under|regional indicator|"
    r"infinity|part alternation|hollow|mark$|identification|information|claim|control"
)
ZODIAC = {
    "aries", "taurus", "gemini", "cancer", "leo", "virgo", "libra", "scorpio",
    "sagittarius", "capricorn", "aquarius", "pisces", "ophiuchus",
}  # fmt: skip
# Chat words among the keywords, which no one would write in a prompt.
SLANG = {
    "adorbs", "awk", "bday", "boi", "bestie", "breaky", "bruh", "bye", "cya", "dunno", "duh", "ew", "fab", "geez", "gr8",
    "haha", "hahaha", "hehe", "idc", "idk", "jk", "k", "lmao", "lmfao", "lol", "luv", "meh", "nah", "omg", "ooh", "oh",
    "rofl", "roflol", "sis", "tgif", "tho", "totes", "ugh", "wassup", "whoa", "whoops", "woo", "woohoo", "wow", "wtf", "xd",
    "xoxo", "yea", "yay", "yep", "yup", "yolo", "ok", "okay", "af", "dope", "fml", "fr", "hmm", "huh", "ily", "nvm", "oops",
    "rn", "smh", "srsly", "tfw", "thx", "ty", "wth", "yum", "yummy", "nom", "nope", "dang", "gah", "gag", "savage", "genderqueer",
}  # fmt: skip
PLAIN = re.compile(r"[a-z]+( [a-z]+)*")


def fetch(package: str, cache: Path) -> Path:
    """The unpacked files of an npm package, fetched unless they are in `cache`."""
    folder = cache / package.replace("/", "+")
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        said = subprocess.run(  # noqa: S603
            ["npm", "pack", package, "--silent"],  # noqa: S607
            cwd=cache, check=True, capture_output=True, text=True,
        )  # fmt: skip
        file = cache / said.stdout.split()[-1]
        with tarfile.open(file) as packed:
            packed.extractall(folder, filter="data")
        file.unlink()
    return folder / "package"


def things(cache: Path) -> list[dict[str, Any]]:
    """Code point, name and synonyms of everything that may be drawn, in Unicode's order."""
    entries = json.loads((fetch(NAMES, cache) / "en" / "data.json").read_text("utf-8"))
    entries = [e for e in entries if e.get("group", 2) not in GROUPS_LEFT_OUT and readable(e)]
    frequent = Counter(tag for e in entries for tag in e.get("tags", ()))
    names = {plain(e["label"]) for e in entries}
    made = []
    for entry in sorted(entries, key=lambda e: e["order"]):
        name = plain(entry["label"])
        tags = [
            tag
            for tag in entry.get("tags", ())
            if PLAIN.fullmatch(tag) and tag.count(" ") < 2 and tag not in name and not SLANG & set(tag.split())
        ]
        made.append(
            {
                "code": entry["hexcode"].removesuffix("-FE0F").lower(),
                "name": name,
                # The rarest keywords name the thing itself, frequent ones its kind.
                "synonyms": [t for t in sorted(tags, key=lambda t: frequent[t]) if frequent[t] <= 3 and t not in names][
                    :4
                ],
                "kinds": [t for t in tags if frequent[t] > 7][:3],
            }
        )
    return made


def plain(label: str) -> str:
    return label.lower().replace("-", " ").replace("’", "").replace(":", "").replace("“", "").replace("”", "")


def readable(entry: dict[str, Any]) -> bool:
    label = entry["label"].lower()
    single = "-" not in entry["hexcode"].removesuffix("-FE0F")
    return bool(single and PLAIN.fullmatch(plain(label)) and not UNREADABLE.search(label) and label not in ZODIAC)


def drawer(set_name: str, cache: Path, side: int) -> Callable[[dict[str, Any]], Image.Image | None]:
    """A function that draws a thing in the set, or returns None where the set lacks it."""
    folder = fetch(PACKAGES[set_name], cache)
    if set_name == "twemoji":
        return lambda thing: _svg_file(folder / f"{thing['code']}.svg", side)
    if set_name == "fluent-3d":
        return lambda thing: _picture_file(folder / "assets", thing["code"], side)
    icons = json.loads((folder / "icons.json").read_text("utf-8"))
    codes = json.loads((folder / "chars.json").read_text("utf-8")) if (folder / "chars.json").is_file() else {}
    by_letters = {re.sub("[^a-z0-9]", "", name): name for name in icons["icons"]} if not codes else {}

    def draw(thing: dict[str, Any]) -> Image.Image | None:
        name = codes.get(thing["code"]) or codes.get(thing["code"] + "-fe0f")
        name = name or by_letters.get(thing["name"].replace(" ", ""))
        name = icons.get("aliases", {}).get(name, {}).get("parent", name)
        icon = icons["icons"].get(name)
        if icon is None:
            return None
        box = [
            icon.get(key, icons.get(key, other))
            for key, other in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
        ]
        head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{" ".join(map(str, box))}">'
        return _svg(head + icon["body"].replace("currentColor", "#181818") + "</svg>", side)

    return draw


def _svg(text: str, side: int) -> Image.Image:
    return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=text, width=side * 2)))).convert("RGBA")


def _svg_file(file: Path, side: int) -> Image.Image | None:
    return _svg(file.read_text("utf-8"), side) if file.is_file() else None


def _picture_file(folder: Path, code: str, side: int) -> Image.Image | None:
    for file in (folder / f"{code}.webp", folder / f"{code}-fe0f.webp"):
        if file.is_file():
            with Image.open(file) as picture:
                return picture.convert("RGBA")
    return None


def fitted(picture: Image.Image, side: int) -> Image.Image:
    """The drawing without its empty margin, centered in a square cell of `side` pixels with a margin of one."""
    alpha = np.asarray(picture)[..., 3] > 8
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    cell = Image.new("RGBA", (side, side))
    if len(rows):
        cut = picture.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
        scale = (side - 2) / max(cut.size)
        shape = (max(round(cut.width * scale), 1), max(round(cut.height * scale), 1))
        cut = (
            cut.convert("RGBa")
            .resize(shape, Image.Resampling.BOX if scale < 0.6 else Image.Resampling.BICUBIC)
            .convert("RGBA")
        )
        cell.paste(cut, ((side - shape[0]) // 2, (side - shape[1]) // 2))
    return cell


def make(folder: Path, side: int = 64, cache: Path = CACHE) -> None:
    """Writes the sheets and `things.json`. `side`: of one drawing, in pixels."""
    listed = things(cache)
    drawn: dict[str, list[Image.Image | None]] = {}
    for set_name in PACKAGES:
        draw = drawer(set_name, cache, side)
        drawn[set_name] = [draw(thing) for thing in listed]
        print(f"{set_name}: {sum(d is not None for d in drawn[set_name])} of {len(listed)}", flush=True)
    kept = [
        i for i in range(len(listed)) if sum(drawn[s][i] is not None for s in PACKAGES if s != "twemoji") >= LEAST_SETS
    ]
    columns = math.ceil(math.sqrt(len(kept)))
    for set_name, pictures in drawn.items():
        sheet = Image.new("RGBA", (columns * side, math.ceil(len(kept) / columns) * side))
        for place, i in enumerate(kept):
            picture = pictures[i]
            colors = listed[i].setdefault("colors", {})
            if picture is not None:
                cell = fitted(picture, side)
                colors[set_name] = main_color(np.asarray(cell))
                sheet.paste(cell, (place % columns * side, place // columns * side))
        sheet.save(folder / f"{set_name}.webp", lossless=True, quality=100, method=4)
    (folder / "things.json").write_text(
        json.dumps({"side": side, "columns": columns, "things": [listed[i] for i in kept]}, indent=0) + "\n", "utf-8"
    )
    print(f"{len(kept)} things")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=64, metavar="PIXELS")
    parser.add_argument(
        "--packages", type=Path, default=CACHE, metavar="FOLDER", help="where fetched packages are kept"
    )
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    make(given.folder, given.side, given.packages)


if __name__ == "__main__":
    main()
