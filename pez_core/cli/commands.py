"""The commands: their options, what they run and print."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..distillation import RATIO, distilled_length
from ..errors import PezError, shorten
from ..models.presets import PRESETS
from ..scoring import Score, score
from ..targets.sources import PictureSource, Source, TextSource, make_target, one_for_each
from .batch import add_batch
from .classify import add_classify
from .doctor import add_doctor
from .evaluate import add_evaluate
from .files import files_for
from .options import add_model, add_settings, config_of, language_of, model_of
from .output import PROGRAM, JsonList, say, say_json
from .paint import add_paint, check_words, paintings, warn_unknown
from .parser import Parser
from .runs import draw, escape, print_result, search, to_json

BAD_PLOT = 2  # as for bad input: another file name fixes it
_TEXT_HELP = "put -- before it, after the options, if it begins with -"


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; the arguments that it returns have the command as `run`."""
    parser = Parser(prog=PROGRAM, description="Find short prompts that match pictures.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    invert = commands.add_parser("invert", help="search for a prompt that matches pictures")
    invert.set_defaults(run=_invert)
    invert.add_argument("images", nargs="+", metavar="IMAGE", help="one prompt is searched for all of them")
    invert.add_argument(
        "--each",
        action="store_true",
        help="one prompt for each picture instead, printed when it is done; Ctrl-C ends one picture with its best "
        "prompt, twice in the same picture ends the batch",
    )
    _add_search(invert, json_help="print one JSON object (with --each: a list that grows with each picture)")

    blend = commands.add_parser("blend", help="search for a prompt that matches several things, each with a weight")
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

    distill = commands.add_parser("distill", help="search for a shorter text that means the same")
    distill.set_defaults(run=_distill, each=False)
    distill.add_argument("text", metavar="TEXT", help=_TEXT_HELP)
    distill.add_argument(
        "--ratio",
        type=float,
        metavar="R",
        help=f"searched tokens for each token of the text, instead of --length (default: {RATIO} without --length)",
    )
    _add_search(distill, pictures=False)

    models = commands.add_parser("models", help="list the models")
    models.set_defaults(run=_models)
    models.add_argument("--all", action="store_true", help="every pretrained model that open_clip can fetch")

    scored = commands.add_parser("score", help="similarity of texts to pictures")
    scored.set_defaults(run=_score)
    scored.add_argument("text", metavar="TEXT", help=_TEXT_HELP)
    scored.add_argument("images", nargs="+", metavar="IMAGE")
    scored.add_argument("--also", action="append", default=[], metavar="TEXT", help="another text; may be repeated")
    add_model(scored)
    scored.add_argument("--json", action="store_true", help="print one JSON object (with --also: a list of them)")

    add_classify(commands.add_parser("classify", help="learn a prompt that makes a language model classify texts"))
    add_batch(
        commands.add_parser("batch", help="search a prompt for each of thousands of pictures, and go on after a kill")
    )
    add_evaluate(commands.add_parser("evaluate", help="how good a batch's prompts are according to other models"))
    add_doctor(commands.add_parser("doctor", help="check this machine and a model on it, for a report of a problem"))
    add_paint(commands.add_parser("paint", help="paint a text with the embedded painter"), _TEXT_HELP)
    return parser


def _add_search(
    parser: argparse.ArgumentParser, json_help: str = "print one JSON object", pictures: bool = True
) -> None:
    """Adds the options of every command that searches; `pictures`: whether it takes pictures."""
    if pictures:
        parser.add_argument("--crops", action="store_true", help="also match the corners of each picture")
        parser.add_argument("--flips", action="store_true", help="also match the mirror image of each picture")
    add_model(parser)
    add_settings(parser)
    parser.add_argument("--json", action="store_true", help=json_help)
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE.png",
        help="also draw the run as a picture, after printing its result; if that fails, the exit status is 2",
    )
    parser.add_argument(
        "--paint", action="store_true", help="the plot also shows what the embedded painter makes of the prompt"
    )


def _invert(given: argparse.Namespace) -> int:
    source = PictureSource.of(list(given.images), crops=given.crops, flips=given.flips)
    names = [[path] for path in given.images] if given.each else [given.images]
    sources = one_for_each([source]) if given.each else [(source,)]
    titles = [Path(name[0]).name + (f" and {len(name) - 1} more" if len(name) > 1 else "") for name in names]
    return _search(given, sources, titles, [{"images": name} for name in names], given.images)


def _blend(given: argparse.Namespace) -> int:
    images, texts = ([(what, _weight(weight)) for what, weight in pairs] for pairs in (given.image, given.text))
    if not images and not texts:
        raise PezError("There is nothing to blend: give --image FILE WEIGHT or --text TEXT WEIGHT.")
    sources: list[Source] = [
        PictureSource.of(path, weight=weight, crops=given.crops, flips=given.flips) for path, weight in images
    ]
    sources += [TextSource(text, weight) for text, weight in texts]
    about = [{"image": path, "weight": weight} for path, weight in images]
    about += [{"text": text, "weight": weight} for text, weight in texts]
    return _search(given, [sources], ["blend"], [{"blend": about}], [path for path, _ in images])


def _distill(given: argparse.Namespace) -> int:
    if given.ratio is None and not hasattr(given, "length"):
        given.ratio = RATIO
    return _search(given, [(TextSource(given.text),)], [shorten(given.text, 20)], [{"text": given.text}], [])


def _search(
    given: argparse.Namespace,
    sources: Sequence[Sequence[Source]],
    titles: Sequence[str],
    about: Sequence[dict[str, Any]],
    files: Sequence[str],
) -> int:
    """Runs a search for each of the `sources` and prints it with what it is `about`; `files`: the pictures to match.

    A result is printed before anything else can fail, and before the next run begins.
    """
    config = config_of(given)
    if given.paint and not given.plot:
        raise PezError("--paint adds paintings to the plot: give --plot FILE.png too.")
    plots = files_for("--plot", given.plot, titles, files) if given.plot else [None] * len(titles)
    model = model_of(given)
    language = language_of(given, model.device)
    if getattr(given, "ratio", None) is not None:
        config = replace(config, length=distilled_length(model, given.text, given.ratio))
    status = 0
    with JsonList() if given.json and given.each else nullcontext() as results:
        for parts, title, plot, told in zip(sources, titles, plots, about, strict=True):
            target = make_target(model, parts)
            result = search(model, target, config, title, "batch" if given.each else "program", language)
            if results:
                results.add(to_json(result, plot, told))
            elif given.json:
                say_json(to_json(result, plot, told))
            else:
                if given.each:
                    say(told["images"][0])
                print_result(result)
            pictures = [picture for part in parts if isinstance(part, PictureSource) for picture in part.pictures]
            if plot and not draw(result, pictures, plot, paintings(result.prompt, result.seed) if given.paint else []):
                status = BAD_PLOT
            elif plot and not given.json:
                say(f"picture     {plot}")
    return status


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PezError(f"A weight must be a number, not {text!r}.") from None


def _models(given: argparse.Namespace) -> int:
    for preset in PRESETS:
        say(f"{preset.name:32}{preset.use}")
    if given.all:
        import open_clip  # imported late: it takes seconds

        for architecture, tag in open_clip.list_pretrained():
            say(f"{architecture}/{tag}")
    else:
        say(f"\nAny other pretrained model of open_clip by ARCHITECTURE/TAG: {PROGRAM} models --all")
    return 0


def _score(given: argparse.Namespace) -> int:
    check_words([given.text, *given.also])
    source = PictureSource.of(list(given.images))
    model = model_of(given)
    texts = [given.text, *given.also]
    scores = score(model, texts, make_target(model, [source]))
    warn_unknown(model, texts, "scores ignore the meaning")
    if given.json:
        printed = [_score_json(each, given.images, model.name) for each in scores]
        say_json(printed if given.also else printed[0])
        return 0
    for each in scores:
        if given.also:
            say(each.text)
        say(f"similarity  {each.similarity:.4f}")
        seen = [*each.parts.items(), *(zip(given.images, each.each, strict=True) if len(each.each) > 1 else ())]
        for name, similarity in seen:
            say(f"            {similarity:.4f}  {name}")
    return 0


def _score_json(one: Score, images: Sequence[str], model: str) -> dict[str, Any]:
    return {
        "text": one.text,
        "escaped": escape(one.text),
        "similarity": one.similarity,
        "parts": one.parts,
        "images": [{"image": path, "similarity": each} for path, each in zip(images, one.each, strict=True)],
        "model": model,
    }
