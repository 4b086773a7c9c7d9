"""The command line: `python -m pez_core invert | blend | distill | score | models`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from ..distillation import distilled_length
from ..errors import PezError
from ..models.clip import shorten
from ..models.presets import PRESETS
from ..scoring import score
from ..targets.sources import PictureSource, Source, TextSource, make_target, one_for_each
from .options import PROGRAM, add_model, add_settings, config_of, model_of
from .runs import plot_files, print_run, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status: 0, or 2 for bad input (said in one line on stderr)."""
    given = _parser().parse_args(arguments)
    try:
        return given.run(given)
    except PezError as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output went away
        sys.stderr.close()
        return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: error: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description="Find the words behind a picture.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    invert = commands.add_parser("invert", help="search a prompt for pictures")
    invert.set_defaults(run=_invert)
    invert.add_argument("images", nargs="+", metavar="IMAGE", help="one prompt is sought for all of them")
    invert.add_argument("--each", action="store_true", help="one prompt for each picture instead")
    _add_search(invert, "print one JSON object (with --each: a list of them)")

    blend = commands.add_parser("blend", help="search a prompt for several things, each with its weight")
    blend.set_defaults(run=_blend, each=False)
    for flag, what in (("--image", "FILE"), ("--text", "TEXT")):
        blend.add_argument(
            flag,
            nargs=2,
            action="append",
            default=[],
            metavar=(what, "WEIGHT"),
            help=f"a {flag[2:]} to match; a weight below 0 pushes away from it",
        )
    _add_search(blend)

    distill = commands.add_parser("distill", help="search a shorter text that means the same")
    distill.set_defaults(run=_distill, each=False)
    distill.add_argument("text", metavar="TEXT")
    distill.add_argument(
        "--ratio", type=float, metavar="R", help="tokens for each one of the text, instead of --length"
    )
    _add_search(distill, looks=False)

    models = commands.add_parser("models", help="list the models")
    models.set_defaults(run=_models)
    models.add_argument("--all", action="store_true", help="every pretrained model that open_clip can fetch")

    scored = commands.add_parser("score", help="similarity of texts to pictures")
    scored.set_defaults(run=_score)
    scored.add_argument("text", metavar="TEXT")
    scored.add_argument("images", nargs="+", metavar="IMAGE")
    scored.add_argument("--also", action="append", default=[], metavar="TEXT", help="another text; may be repeated")
    add_model(scored)
    scored.add_argument("--json", action="store_true", help="print one JSON object (with --also: a list of them)")
    return parser


def _add_search(parser: argparse.ArgumentParser, json_help: str = "print one JSON object", looks: bool = True) -> None:
    """What every command that searches takes; `looks`: whether it looks at pictures."""
    if looks:
        parser.add_argument("--crops", action="store_true", help="the corners of each picture count as well as itself")
        parser.add_argument("--flips", action="store_true", help="its mirror image counts as well")
    add_model(parser)
    add_settings(parser)
    parser.add_argument("--json", action="store_true", help=json_help)
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="write a picture of the run")


def _invert(given: argparse.Namespace) -> int:
    source = PictureSource.of(list(given.images), crops=given.crops, flips=given.flips)
    names = [[path] for path in given.images] if given.each else [given.images]
    sources = one_for_each([source]) if given.each else [(source,)]
    titles = [Path(name[0]).name + (f" and {len(name) - 1} more" if len(name) > 1 else "") for name in names]
    return _search(given, sources, titles, [{"images": name} for name in names])


def _blend(given: argparse.Namespace) -> int:
    pictures = [
        PictureSource.of(path, weight=_weight(weight), crops=given.crops, flips=given.flips)
        for path, weight in given.image
    ]
    texts = [TextSource(text, _weight(weight)) for text, weight in given.text]
    if not pictures and not texts:
        raise PezError("There is nothing to blend: give --image FILE WEIGHT or --text TEXT WEIGHT.")
    about = {
        name: [{name: each, "weight": float(weight)} for each, weight in pairs]
        for name, pairs in (("image", given.image), ("text", given.text))
    }
    return _search(given, [(*pictures, *texts)], ["blend"], [{"blend": about["image"] + about["text"]}])


def _distill(given: argparse.Namespace) -> int:
    return _search(given, [(TextSource(given.text),)], [shorten(given.text, 20)], [{"text": given.text}])


def _search(
    given: argparse.Namespace, sources: Sequence[Sequence[Source]], titles: Sequence[str], about: list[dict[str, Any]]
) -> int:
    """A run for each of the `sources`, printed with what they are `about`."""
    config = config_of(given)
    plots = plot_files(given.plot, titles)
    model = model_of(given)
    if getattr(given, "ratio", None) is not None:
        config = replace(config, length=distilled_length(model, given.text, given.ratio))
    printed = []
    for parts, title, plot, told in zip(sources, titles, plots, about, strict=True):
        pictures = [picture for part in parts if isinstance(part, PictureSource) for picture in part.pictures]
        printed.append({**run(model, make_target(model, parts), config, title, plot, pictures), **told})
        if not given.json:
            if given.each:
                print(told["images"][0])
            print_run(printed[-1])
    if given.json:
        print(json.dumps(printed if given.each else printed[0], ensure_ascii=False, indent=2))
    return 0


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PezError(f"A weight must be a number, not {text!r}.") from None


def _models(given: argparse.Namespace) -> int:
    for preset in PRESETS:
        print(f"{preset.name:32}{preset.use}")
    if given.all:
        import open_clip  # here: it takes seconds

        for architecture, tag in open_clip.list_pretrained():
            print(f"{architecture}/{tag}")
    else:
        print(f"\nAny other pretrained model of open_clip by ARCHITECTURE/TAG: {PROGRAM} models --all")
    return 0


def _score(given: argparse.Namespace) -> int:
    source = PictureSource.of(list(given.images))
    model = model_of(given)
    texts = [given.text, *given.also]
    found = score(model, texts, make_target(model, [source]))
    for text in texts:
        unknown = model.vocabulary.unknown_words(text)
        if unknown:
            print(f"The model {model.name} has never seen: {', '.join(unknown)}.", file=sys.stderr)
    if given.json:
        printed = [
            {
                "text": one.text,
                "similarity": one.similarity,
                "parts": one.parts,
                "images": [{"image": path, "similarity": s} for path, s in zip(given.images, one.each, strict=True)],
                "model": model.name,
            }
            for one in found
        ]
        print(json.dumps(printed if given.also else printed[0], ensure_ascii=False, indent=2))
        return 0
    for one in found:
        if given.also:
            print(one.text)
        print(f"similarity  {one.similarity:.4f}")
        seen = [*one.parts.items(), *(zip(given.images, one.each, strict=True) if len(one.each) > 1 else ())]
        for name, similarity in seen:
            print(f"            {similarity:.4f}  {name}")
    return 0
