"""Compares the search methods on held-out pictures, with equal budgets or in equal time.

    python -m benchmarks.quality [--methods NAME ...] [--against NAME] [--pictures 56] [--half choose|report]
                                 [--seconds S] [--exchange [JUDGE]] [--json]
    python -m benchmarks.quality --model NAME --images FOLDER [--captions FILE.json]

Prompts are searched with one model and scored by others as well, the judges, which no search uses, each on the pictures in
styles that it was trained on. With --exchange a judge and the embedded model change places: a gain in only one direction comes
from the models, not from the method. The budget is counted in passes of the text encoder: one prompt forward is one, and so is
one backward. With --seconds each method has that much time per picture instead. With your own model or pictures there is no
judge.
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

from benchmarks.comparing import knows, paired_gain
from benchmarks.judging import load_judges
from benchmarks.pictures import held_out_pictures
from pez_core import ClipModel, InversionConfig, PezError, PictureSource, Target, invert, load_model
from pez_core.checks.measuring import machine
from pez_core.targets.pictures import as_rgb
from pez_core.targets.sources import make_target

BASE = InversionConfig(patience=None)
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
    "pez+swaps": replace(BASE, swap_from="found"),
    "swaps from any": BASE,  # the default
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
    """The target pictures with their captions, and the judges with their features of them.

    styles: that of each picture, if it is known: a judge is asked only about pictures in styles that it was trained on.
    """

    def __init__(
        self,
        pictures: Sequence[Image.Image],
        captions: Sequence[str] | None,
        judges: Sequence[ClipModel] = (),
        styles: Sequence[str] | None = None,
    ):
        self.pictures, self.captions, self.judges, self.styles = list(pictures), captions, list(judges), styles
        self.judged = [judge.encode_images(self.pictures) for judge in judges]

    @classmethod
    def held_out(cls, half: str, drawings: str, judges: Sequence[ClipModel]) -> Pictures:
        """Those of a half and a set of drawings that `held_out_pictures` describes."""
        rows = held_out_pictures(half, drawings)
        return cls([row.picture for row in rows], [row.caption for row in rows], judges, [row.style for row in rows])

    def first(self, count: int) -> Pictures:
        """Only the first `count` of them."""
        return Pictures(
            self.pictures[:count],
            self.captions and self.captions[:count],
            self.judges,
            self.styles and self.styles[:count],
        )

    def knows(self, judge: ClipModel, i: int) -> bool:
        """Whether the judge was trained on the style of picture `i`."""
        return knows(judge.name, self.styles[i] if self.styles else None)

    def run(self, model: ClipModel, config: InversionConfig, cropped: bool = False) -> list[dict[str, Any]]:
        """Searches for a prompt for each of the pictures; `cropped`: also matching its crops and mirror image."""
        rows = []
        for i, target in enumerate(self.targets(model, cropped)):
            begun = time.perf_counter()
            result = invert(model, target, replace(config, words=self.words(config, i)))
            rows.append({"passes": result.passes, "seconds": time.perf_counter() - begun, "prompt": result.prompt})
        measures = self.measures(model, [row["prompt"] for row in rows])
        return [{**row, **more} for row, more in zip(rows, measures, strict=True)]

    def targets(self, model: ClipModel, cropped: bool = False) -> list[Target]:
        """A target for each picture; `cropped`: also its crops and mirror image."""
        if not cropped:
            return Target.from_images(model, self.pictures).split()
        return [make_target(model, [PictureSource((each,), crops=True, flips=True)]) for each in self.pictures]

    def words(self, config: InversionConfig, i: int) -> str:
        """The words that a search of picture `i` starts from, if it does."""
        return self.captions[i] if self.captions and config.start == "words" else ""

    def measures(self, model: ClipModel, prompts: Sequence[str]) -> list[dict[str, Any]]:
        """How well a prompt for each picture matches it: according to the searched model, to each judge, and in words."""
        wholes = Target.from_images(model, self.pictures).split()
        own = [
            whole.similarity(each[None]).item() for whole, each in zip(wholes, model.encode_texts(prompts), strict=True)
        ]
        rows: list[dict[str, Any]] = [{"similarity": value} for value in own]
        for judge, pictures in zip(self.judges, self.judged, strict=True):
            seen: Tensor = judge.encode_texts(prompts) @ pictures.T
            for i, row in enumerate(rows):
                if self.knows(judge, i):
                    row[judge.name] = seen[i, i].item()
                    row[f"{judge.name} first"] = float(seen[i].argmax().item() == i)
        if self.captions:
            for row, prompt, caption in zip(rows, prompts, self.captions, strict=True):
                row["words"] = caption_recall(prompt, caption)
        return rows


def caption_recall(prompt: str, caption: str) -> float:
    """The share of the caption's words that are in the prompt, ignoring small words."""
    telling = set(caption.lower().split()) - _SMALL_WORDS
    return len(telling & set(prompt.split())) / max(len(telling), 1)


def summary(
    name: str, rows: list[dict[str, Any]], plain: list[dict[str, Any]] | None, compared: Sequence[str]
) -> dict[str, Any]:
    """The means over pictures, and the gains over the `plain` runs of the same pictures with their standard errors.

    compared: the measures that have gains.
    """
    made: dict[str, Any] = {"method": name, "pictures": len(rows)}
    keys = dict.fromkeys(key for row in rows for key in row if key != "prompt")
    made |= {key: statistics.mean(row[key] for row in rows if key in row) for key in keys}
    made["worst"] = min(row["similarity"] for row in rows)
    made["spread"] = statistics.stdev(row["similarity"] for row in rows)
    for key in compared if plain else ():
        pairs = [(row[key], other[key]) for row, other in zip(rows, plain or (), strict=True) if key in row]
        if len(pairs) > 1:
            made[f"{key} gain"], made[f"{key} error"] = paired_gain(*zip(*pairs, strict=True))
    return made


def columns(judges: Sequence[str]) -> list[tuple[str, str, str]]:
    """The table's columns: key, head and format."""
    gain = [("gain", "+9.4f"), ("error", "8.4f")]
    made = [("passes", "passes", "8.0f"), ("seconds", "seconds", "8.2f"), ("similarity", "similarity", "11.4f")]
    made += [("worst", "worst", "8.4f"), ("spread", "spread", "8.4f")]
    made += [(f"similarity {key}", key, form) for key, form in gain]
    for judge in judges:
        made += [(judge, judge, "9.4f"), *((f"{judge} {key}", key, form) for key, form in gain)]
        made += [(f"{judge} first", "first", "7.3f")]
    return [*made, ("words", "words", "7.3f")]


def header(shown: Sequence[tuple[str, str, str]]) -> str:
    """The table's first line."""
    return f"{'method':16}" + "".join(f"{head:>{len(format(0, form))}}" for _, head, form in shown)


def line(row: dict[str, Any], shown: Sequence[tuple[str, str, str]]) -> str:
    """A row of the table."""
    return f"{row['method']:16}" + "".join(
        format(row[key], form) if key in row else " " * len(format(0, form)) for key, _, form in shown
    )


def own_pictures(folder: Path, captions: Path | None) -> Pictures:
    """The pictures in a folder, with captions from a file that maps their names to captions.

    Raises PezError for fewer than two pictures.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    if len(files) < 2:
        raise PezError(f"{folder} holds {len(files)} pictures (.png, .jpg, .webp): at least 2 are needed.")
    said = json.loads(captions.read_text("utf-8")) if captions else None
    captioned = [said.get(file.name, "") for file in files] if said else None
    return Pictures([as_rgb(file)[0] for file in files], captioned)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--against", default=PLAIN, choices=list(METHODS), metavar="NAME", help=f"of gains ({PLAIN})")
    parser.add_argument("--pictures", type=int, default=56, metavar="N", help="at most this many (default: 56)")
    parser.add_argument(
        "--half", choices=("choose", "report"), default="report", help="the one to choose settings with, or the other"
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="equal wall time instead of equal passes")
    parser.add_argument(
        "--exchange", nargs="?", const="", metavar="JUDGE", help="search with a judge, judged by the embedded model"
    )
    parser.add_argument("--model", default="embedded", metavar="NAME")
    parser.add_argument("--checkpoint", metavar="FILE")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", metavar="D")
    parser.add_argument("--images", type=Path, metavar="FOLDER")
    parser.add_argument("--captions", type=Path, metavar="FILE.json")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.exchange is not None and (given.images or given.model != "embedded"):
        parser.error("--exchange is for the embedded model and its judges: omit --model and --images")
    model = load_model(given.model, given.checkpoint, given.device)
    if given.images:
        pictures = own_pictures(given.images, given.captions)
    else:
        judges = load_judges(given.device)
        if given.exchange is not None:
            model, judges = _judge(judges, given.exchange, parser), [model]
        pictures = Pictures.held_out(given.half, "trained", judges)
    count = min(given.pictures, len(pictures.pictures))
    if count < 2:
        parser.error(f"--pictures must be at least 2, not {given.pictures}")
    pictures = pictures.first(count)
    plain, rows = None, []
    judges = [judge.name for judge in pictures.judges]
    shown = columns(judges)
    searched = model.name + (f", judged by {' and '.join(judges)}" if judges else "")
    if not given.json:
        print(
            f"{machine(model.device)}; {count} pictures, searched with {searched}", header(shown), sep="\n", flush=True
        )
    for name in sorted(given.methods, key=lambda name: (name != given.against, list(METHODS).index(name))):
        config = METHODS[name]
        if config.start == "words" and not pictures.captions:
            continue
        if given.seconds:
            config = replace(config, steps=20_000, patience=None, time_limit=given.seconds)
        found = pictures.run(model, config, name == CROPPED)
        plain = found if name == given.against else plain
        rows.append(summary(name, found, plain if name != given.against else None, ("similarity", *judges)))
        if not given.json:
            print(line(rows[-1], shown), flush=True)
    if given.json:
        about = {"machine": machine(model.device), "model": model.name, "judges": judges}
        print(json.dumps({**about, "rows": rows}, indent=2))


def _judge(judges: Sequence[ClipModel], name: str, parser: argparse.ArgumentParser) -> ClipModel:
    """The judge called `name`; '' is the first."""
    named = {judge.name: judge for judge in judges}
    if name and name not in named:
        parser.error(f"there is no judge {name!r}: choose one of {', '.join(named)}")
    return named[name] if name else judges[0]


if __name__ == "__main__":
    main()
