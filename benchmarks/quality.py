"""Compares the search methods on held-out pictures, with equal budgets or in equal time.

    python -m benchmarks.quality [--methods NAME ...] [--against NAME] [--pictures 56] [--seconds S] [--exchange] [--json]
    python -m benchmarks.quality --model NAME --images FOLDER [--captions FILE.json]

Prompts are searched with one model and scored by another one as well, the judge, which no search uses. With
--exchange the two models change places: a gain in only one direction comes from the models, not from the
method. The budget is counted in passes of the text encoder: one prompt forward is one, and so is one backward. With
--seconds each method has that much time per picture instead. With your own model or pictures there is no judge.
A captions file maps file names to captions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from benchmarks.measuring import machine
from benchmarks.pictures import JUDGE_FOLDER, held_out
from pez_core import ClipModel, InversionConfig, PezError, PictureSource, Target, invert, load_model
from pez_core.models.loading import load_folder
from pez_core.targets.pictures import as_rgb
from pez_core.targets.sources import make_target

BASE = InversionConfig(patience=None)
DEFAULT = "pez+swaps"
CROPPED = "crops and flips"  # of each picture, as additional targets
PLAIN = "pez 8 starts"
METHODS: dict[str, InversionConfig] = {
    "random": replace(BASE, method="random", steps=100, restarts=32),
    "pez 1 start": replace(BASE, method="pez", steps=1600, restarts=1),
    PLAIN: replace(BASE, method="pez", steps=200),
    # Learning rates: the best of 1, 10 and 100.
    "autoprompt-sgd": replace(BASE, method="autoprompt-sgd", steps=200, learning_rate=10.0),
    "fluentprompt": replace(BASE, method="fluentprompt", steps=200, learning_rate=1.0),
    "autoprompt": replace(BASE, method="autoprompt", steps=24, restarts=4),
    "swaps": replace(BASE, method="swaps", steps=24, restarts=4),
    DEFAULT: BASE,
    "swaps from any": replace(BASE, swap_from="any"),
    CROPPED: BASE,
    "any words": replace(BASE, vocabulary="words"),
    "from tokens": replace(BASE, start="tokens"),
    "from words": replace(BASE, start="words"),  # the picture's own caption
    "preset fast": InversionConfig.preset("fast"),
    "preset thorough": InversionConfig.preset("thorough"),
    "preset paper": InversionConfig.preset("paper"),
}
_SMALL_WORDS = {"a", "an", "and", "on", "background", "with", "of", "in"}


class Pictures:
    """The target pictures with their captions, and the judge with its features of them."""

    def __init__(self, pictures: Sequence[Image.Image], captions: Sequence[str] | None, judge: ClipModel | None):
        self.pictures, self.captions, self.judge = pictures, captions, judge
        self.judged = judge.encode_images(pictures) if judge else None

    def run(self, model: ClipModel, config: InversionConfig, count: int, cropped: bool = False) -> list[dict[str, Any]]:
        """Searches for a prompt for each of the first `count` pictures; `cropped`: also matching its crops and mirror image."""
        rows = []
        wholes = Target.from_images(model, list(self.pictures[:count])).split()
        for i, (picture, whole) in enumerate(zip(self.pictures[:count], wholes, strict=True)):
            target = make_target(model, [PictureSource((picture,), crops=True, flips=True)]) if cropped else whole
            caption = self.captions[i] if self.captions else ""
            words = caption if config.start == "words" else ""
            begun = time.perf_counter()
            result = invert(model, target, replace(config, words=words))
            rows.append(
                {
                    "prompt": result.prompt,
                    "similarity": whole.similarity(model.encode_texts([result.prompt])).item(),
                    "passes": result.passes,
                    "seconds": time.perf_counter() - begun,
                    **(self._judge(result.prompt, i)),
                    **({"words": caption_recall(result.prompt, caption)} if caption else {}),
                }
            )
        return rows

    def _judge(self, prompt: str, i: int) -> dict[str, float]:
        if self.judge is None or self.judged is None:
            return {}
        seen: Tensor = self.judge.encode_texts([prompt])[0] @ self.judged.T
        return {"judge": seen[i].item(), "first": float(seen.argmax().item() == i)}


def caption_recall(prompt: str, caption: str) -> float:
    """The share of the caption's words that are in the prompt, ignoring small words."""
    telling = set(caption.lower().split()) - _SMALL_WORDS
    return len(telling & set(prompt.split())) / max(len(telling), 1)


def summary(name: str, rows: list[dict[str, Any]], plain: list[dict[str, Any]] | None) -> dict[str, Any]:
    """The means over pictures, and the gains over the `plain` runs of the same pictures with their standard errors."""
    made: dict[str, Any] = {"method": name, "pictures": len(rows)}
    for key in ("passes", "seconds", "similarity", "judge", "first", "words"):
        if key in rows[0]:
            made[key] = statistics.mean(row[key] for row in rows)
    made["worst"] = min(row["similarity"] for row in rows)
    made["spread"] = statistics.stdev(row["similarity"] for row in rows)
    for key in ("similarity", "judge"):
        if plain and key in rows[0]:
            apart = [row[key] - other[key] for row, other in zip(rows, plain, strict=True)]
            made[f"{key}_gain"] = statistics.mean(apart)
            made[f"{key}_error"] = statistics.stdev(apart) / len(apart) ** 0.5
    return made


COLUMNS = {
    "passes": "8.0f", "seconds": "8.2f", "similarity": "11.4f", "worst": "8.4f", "spread": "8.4f",
    "similarity_gain": "+9.4f", "similarity_error": "8.4f", "judge": "8.4f", "judge_gain": "+9.4f",
    "judge_error": "8.4f", "first": "7.3f", "words": "7.3f",
}  # fmt: skip
_HEADS = {"similarity_gain": "gain", "similarity_error": "error", "judge_gain": "gain", "judge_error": "error"}


def header() -> str:
    """Returns the table's first line."""
    width = {key: int("".join(c for c in form.split(".")[0] if c.isdigit())) for key, form in COLUMNS.items()}
    return f"{'method':16}" + "".join(f"{_HEADS.get(key, key):>{width[key]}}" for key in COLUMNS)


def line(row: dict[str, Any]) -> str:
    """Returns a row of the table."""
    return f"{row['method']:16}" + "".join(
        format(row[key], form) if key in row else " " * len(format(0, form)) for key, form in COLUMNS.items()
    )


def own_pictures(folder: Path, captions: Path | None) -> Pictures:
    """The pictures in a folder, with captions from a file that maps their names to captions.

    Raises PezError for fewer than two pictures.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    if len(files) < 2:
        raise PezError(f"{folder} holds {len(files)} pictures (.png, .jpg, .webp): at least 2 are needed.")
    said = json.loads(captions.read_text("utf-8")) if captions else None
    return Pictures(
        [as_rgb(file)[0] for file in files], [said.get(file.name, "") for file in files] if said else None, None
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--against", default=PLAIN, choices=list(METHODS), metavar="NAME", help=f"of gains ({PLAIN})")
    parser.add_argument("--pictures", type=int, default=56, metavar="N", help="at most this many (default: 56)")
    parser.add_argument("--seconds", type=float, metavar="S", help="equal wall time instead of equal passes")
    parser.add_argument("--exchange", action="store_true", help="search with the judge, judged by the embedded model")
    parser.add_argument("--model", default="embedded", metavar="NAME")
    parser.add_argument("--checkpoint", metavar="FILE")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", metavar="D")
    parser.add_argument("--images", type=Path, metavar="FOLDER")
    parser.add_argument("--captions", type=Path, metavar="FILE.json")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.exchange and (given.images or given.model != "embedded"):
        parser.error("--exchange is for the embedded model and its judge: omit --model and --images")
    model = load_model(given.model, given.checkpoint, given.device)
    if given.images:
        pictures = own_pictures(given.images, given.captions)
    else:
        judge = load_folder(JUDGE_FOLDER, "judge").to(given.device)
        model, judge = (judge, model) if given.exchange else (model, judge)
        pictures = Pictures(*held_out(), judge)
    count = min(given.pictures, len(pictures.pictures))
    if count < 2:
        parser.error(f"--pictures must be at least 2, not {given.pictures}")
    plain, rows = None, []
    judge_name = pictures.judge.name if pictures.judge else None
    searched = model.name + (f", judged by {judge_name}" if judge_name else "")
    if not given.json:
        print(f"{machine(model.device)}; {count} pictures, searched with {searched}", header(), sep="\n", flush=True)
    for name in sorted(given.methods, key=lambda name: (name != given.against, list(METHODS).index(name))):
        config = METHODS[name]
        if config.start == "words" and not pictures.captions:
            continue
        if given.seconds:
            config = replace(config, steps=20_000, patience=None, time_limit=given.seconds)
        found = pictures.run(model, config, count, name == CROPPED)
        plain = found if name == given.against else plain
        rows.append(summary(name, found, plain if name != given.against else None))
        if not given.json:
            print(line(rows[-1]), flush=True)
    if given.json:
        about = {"machine": machine(model.device), "model": model.name, "judge": judge_name}
        print(json.dumps({**about, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
