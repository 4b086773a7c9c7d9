"""The command `paint`, and what a search's plot shows of the painter."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from ..config.setting import MAX_SEED
from ..errors import PezError, shorten
from ..models.clip import ClipModel
from ..painting import GUIDANCE, STEPS, embedded_painter, paint
from ..plot.png import save_png
from .files import files_for
from .options import add_device, device_of
from .output import say, say_json

log = logging.getLogger(__name__)

MOST = 1000  # pictures at once
SHOWN = 4  # paintings on a plot


def add_paint(parser: argparse.ArgumentParser, text_help: str) -> None:
    """Adds the options of the command."""
    parser.set_defaults(run=_paint)
    parser.add_argument("text", metavar="TEXT", help=text_help)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.png", help="with --count, numbers are added to the name"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first picture (default: 0)")
    parser.add_argument(
        "--count", type=int, default=1, metavar="N", help="pictures, with seeds that follow (default: 1)"
    )
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help="more are finer (default: %(default)s)")
    parser.add_argument(
        "--guidance",
        type=float,
        default=GUIDANCE,
        metavar="G",
        help="how strictly it follows the text (default: %(default)s)",
    )
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _paint(given: argparse.Namespace) -> int:
    if not 1 <= given.count <= MOST:
        raise PezError(f"--count must be from 1 to {MOST}, not {given.count}.")
    if not 0 <= given.seed <= MAX_SEED:
        raise PezError(f"--seed must be from 0 to 2^64 - 1, not {given.seed}.")
    check_words([given.text])
    seeds = [(given.seed + i) % (MAX_SEED + 1) for i in range(given.count)]
    files = files_for("--out", given.out, [""] * given.count)
    device = device_of(given)
    begun = time.perf_counter()
    warn_unknown(embedded_painter(str(device)).model, [given.text], "paintings ignore the meaning")
    shown = sys.stderr is not None and sys.stderr.isatty()
    with tqdm(total=given.steps * given.count, unit="step", desc=shorten(given.text, 20), disable=not shown) as bar:
        for seed, file in zip(seeds, files, strict=True):
            (picture,) = paint([given.text], seed, given.steps, given.guidance, device, lambda *_: bar.update())
            save_png(picture, file, "The picture")
            if not given.json:
                say(f"picture     {file}")
    if given.json:
        pictures = [{"file": str(file), "seed": seed} for seed, file in zip(seeds, files, strict=True)]
        seconds = round(time.perf_counter() - begun, 3)
        say_json(
            {
                "text": given.text,
                "pictures": pictures,
                "steps": given.steps,
                "guidance": given.guidance,
                "seconds": seconds,
            }
        )
    return 0


def paintings(prompt: str, seed: int) -> list[Image.Image]:
    """What the painter makes of a prompt, for a plot: with `seed` and those that follow."""
    warn_unknown(embedded_painter().model, [prompt], "paintings ignore the meaning")
    return [paint([prompt], (seed + i) % 2**64)[0] for i in range(SHOWN)]


def check_words(texts: Sequence[str]) -> None:
    """Raises PezError for a text without words: a variable of a shell may be empty."""
    for text in texts:
        if not text.strip():
            raise PezError(f"The text {text!r} has no words: give some.")


def warn_unknown(model: ClipModel, texts: Sequence[str], so: str) -> None:
    """Warns of the words of `texts` that the model does not know; `so`: what follows from that."""
    unknown = list(dict.fromkeys(word for text in texts for word in model.vocabulary.unknown_words(text)))
    if unknown:
        log.warning("%s does not know %s, so %s.", model.name, shorten(", ".join(map(repr, unknown)), 200), so)
