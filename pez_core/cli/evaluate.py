"""The command `evaluate`: how good the prompts of a batch are according to models that did not search them."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from ..batch.evaluation import ALL, evaluate, read_captions
from ..batch.manifest import read_options
from ..batch.results import open_results
from ..batch.sources import open_source
from ..errors import PezError, kind_of
from ..models.clip import ClipModel
from .options import add_device, device_of
from .output import PROGRAM, say, say_json

log = logging.getLogger(__name__)

COLUMNS = {
    "similarity": "of prompts with their pictures, -1 to 1",
    "first": "the share of prompts that match no other picture better than their own",
    "rank": "of a prompt's own picture; 1: no other matches better",
    "painted": "the similarity of pictures with those painted from their prompts",
    "caption": "the similarity of prompts with the captions",
    "captioned": "the similarity of captions with their pictures, to compare that of the prompts with",
}


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.set_defaults(run=_evaluate)
    parser.add_argument("results", metavar="RESULTS", help="of the command batch")
    parser.add_argument(
        "--judge",
        action="append",
        required=True,
        metavar="MODEL",
        help=f"a model that did not search: see `{PROGRAM} models`, or a folder with model.json and model.safetensors as this "
        "project's training writes; may be repeated",
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        metavar="FILE",
        help="weights for the judge's architecture from a local file; repeat once per --judge; use - for none",
    )
    parser.add_argument("--source", metavar="SOURCE", help="where the pictures are now (default: where they were)")
    parser.add_argument(
        "--painted", type=Path, metavar="FOLDER", help="pictures painted from the prompts, with the same names"
    )
    parser.add_argument(
        "--captions",
        type=Path,
        metavar="FILE",
        help="a list with the columns path (the keys of the results) and caption",
    )
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _evaluate(given: argparse.Namespace) -> int:
    results = open_results(given.results)
    if not kind_of(Path(given.results)):
        raise PezError(f"There are no results {given.results!r}: give those of the command batch.")
    options = read_options(results.manifest)
    source = open_source(given.source or options["source"], options["recursive"])
    if given.painted and kind_of(given.painted) != "folder":
        raise PezError(f"There is no folder {str(given.painted)!r}: --painted takes one with pictures.")
    captions = read_captions(given.captions) if given.captions else {}
    files = given.checkpoint or ["-"] * len(given.judge)
    if len(files) != len(given.judge):
        raise PezError(
            f"Expected one --checkpoint for each of {len(given.judge)} judges, got {len(files)}: repeat it once per --judge; use - "
            "for none."
        )
    judges = {name: _load(name, file, str(device_of(given))) for name, file in zip(given.judge, files, strict=True)}
    for name, judge in judges.items():
        if judge.name in options["model"] or name in options["model"]:
            log.warning("%s searched these prompts itself: its figures are not those of a held-out model.", name)
    figures = evaluate(results, source, judges, given.painted, captions)
    for option, column in (("captions", "caption"), ("painted", "painted")):
        if getattr(given, option) and not any(own[ALL][column] for own in figures["judges"].values()):
            log.warning("--%s has nothing for these pictures: its names must be the keys of the results.", option)
    if given.json:
        say_json(figures)
    else:
        _print(figures)
    return 0


def _load(name: str, file: str, device: str) -> ClipModel:
    from ..models.loading import load_folder, load_model  # imported late: open_clip would delay --help

    if kind_of(Path(name) / "model.json") == "file":
        return load_folder(Path(name), Path(name).name).to(device)
    return load_model(name, None if file == "-" else file, device)


def _print(figures: dict[str, Any]) -> None:
    say(f"{figures['pictures']} pictures, {figures['failed']} failed; ranks are among {figures['pool']} pictures")
    for judge, folders in figures["judges"].items():
        shown = [name for name in COLUMNS if any(own[name] for own in folders.values())]
        say(f"\n{judge}\n{'':24}" + "".join(f"{name:>18}" for name in shown))
        for folder, own in folders.items():
            say(f"{folder[-24:]:24}" + "".join(f"{_cell(own[name]):>18}" for name in shown))
    whole = next(iter(figures["judges"].values()))[ALL]
    say("\nEach is a mean ± its standard error.")
    for name, meaning in COLUMNS.items():
        if whole[name]:
            count, pictures = whole[name]["count"], figures["pictures"]
            say(f"{name:12}{meaning}" + (f" ({count} of {pictures} pictures)" if count < pictures else ""))


def _cell(mean: dict[str, Any] | None) -> str:
    if mean is None:
        return "-"
    return f"{mean['mean']:.3f}" + ("" if mean["error"] is None else f" ± {mean['error']:.3f}")
