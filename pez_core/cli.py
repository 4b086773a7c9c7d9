"""The command line: `python -m pez_core invert | models | score`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import torch
from tqdm import tqdm

from .config import METHODS, PRECISIONS, SEARCH_PRESETS, VOCABULARY_MODES, InversionConfig
from .errors import PezError, first_line
from .inversion import invert
from .model import ClipModel
from .pictures import as_rgb
from .plot import save_plot
from .presets import EMBEDDED, PRESETS
from .result import InversionResult, Progress
from .target import Target

PROGRAM = "python -m pez_core"


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
    _add_model(invert)
    _add_settings(invert)
    invert.add_argument("--json", action="store_true", help="print one JSON object (with --each: a list of them)")
    invert.add_argument("--plot", type=Path, metavar="FILE.png", help="write a picture of the run")

    models = commands.add_parser("models", help="list the models")
    models.set_defaults(run=_models)
    models.add_argument("--all", action="store_true", help="every pretrained model that open_clip can fetch")

    score = commands.add_parser("score", help="similarity of a text to pictures")
    score.set_defaults(run=_score)
    score.add_argument("text", metavar="TEXT")
    score.add_argument("images", nargs="+", metavar="IMAGE")
    _add_model(score)
    score.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default=EMBEDDED, metavar="NAME", help=f"see `{PROGRAM} models` (default: %(default)s)"
    )
    parser.add_argument("--checkpoint", metavar="FILE", help="weights for the model's architecture from a local file")
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:1, mps (default: %(default)s)"
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Options for InversionConfig's fields; one that is not given leaves the configuration's own default."""
    ours = InversionConfig()

    def add(flag: str, kind: type, text: str, metavar: str = "N", **more: Any) -> None:
        typed = {} if more.get("action") == "store_true" else {"type": kind, "metavar": metavar}
        parser.add_argument(flag, default=argparse.SUPPRESS, help=text, **typed, **more)

    parser.add_argument(
        "--preset", choices=SEARCH_PRESETS, default="balanced", help="settings to start from (default: %(default)s)"
    )
    add("--method", str, f"of the search (default: {ours.method})", "M", choices=METHODS)
    add("--steps", int, f"most steps (default: {ours.steps})")
    add("--length", int, f"searched tokens (default: {ours.length})")
    add("--restarts", int, f"random starts side by side (default: {ours.restarts})")
    add("--from-words", str, "start from these words instead of random ones", metavar="T")
    add("--from-tokens", bool, "start from the tokens that fit best by themselves", action="store_true")
    add("--seed", int, f"the same seed gives the same prompt (default: {ours.seed})")
    add("--prefix", str, "fixed text before the searched tokens", metavar="T")
    add("--suffix", str, "fixed text after the searched tokens", metavar="T")
    add(
        "--ban",
        str,
        "a word that must not appear; hair* bans all that begins so; may be repeated",
        "WORD",
        action="append",
    )
    add(
        "--vocabulary",
        str,
        "words (default) or any: also digits, signs, other scripts",
        "MODE",
        choices=VOCABULARY_MODES,
    )
    add("--learning-rate", float, f"AdamW's (default: {ours.learning_rate:g})")
    add("--weight-decay", float, f"AdamW's (default: {ours.weight_decay:g})")
    add("--batch-size", int, "pictures drawn for each step's gradient (default: all)")
    add("--patience", int, f"stop after so many steps without gain, 0 for never (default: {ours.patience})")
    add("--time-limit", float, "stop after so many seconds", metavar="S")
    add(
        "--precision",
        str,
        f"of the search (default: {ours.precision}); scores are fp32 always",
        "P",
        choices=PRECISIONS,
    )


def _config(given: argparse.Namespace) -> InversionConfig:
    names = {
        "steps", "length", "restarts", "seed", "prefix", "suffix", "vocabulary",
        "learning_rate", "weight_decay", "batch_size", "patience", "time_limit", "precision", "method",
    }  # fmt: skip
    settings = {name: value for name, value in vars(given).items() if name in names}
    if settings.get("patience") == 0:
        settings["patience"] = None
    if hasattr(given, "ban"):
        settings["banned"] = tuple(given.ban)
    if hasattr(given, "from_words"):
        settings |= {"start": "words", "words": given.from_words}
    elif hasattr(given, "from_tokens"):
        settings["start"] = "tokens"
    return InversionConfig.preset(given.preset, **settings)


def _invert(given: argparse.Namespace) -> int:
    config = _config(given)
    plots = _plot_files(given.plot, given.images if given.each else given.images[:1])
    pictures = [as_rgb(path)[0] for path in given.images]
    model = _model(given)
    whole = Target.from_images(model, pictures)
    targets = whole.split() if given.each else [whole]
    groups = [[picture] for picture in pictures] if given.each else [pictures]
    names = [[path] for path in given.images] if given.each else [given.images]
    printed = []
    for target, group, name, plot in zip(targets, groups, names, plots, strict=True):
        title = Path(name[0]).name + (f" and {len(name) - 1} more" if len(name) > 1 else "")
        result = _run(model, target, config, title)
        if plot:
            save_plot(result, group, plot)
        printed.append({**result.to_json(), "images": name, **({"plot": str(plot)} if plot else {})})
        if not given.json:
            _print_result(printed[-1], with_names=given.each)
    if given.json:
        print(json.dumps(printed if given.each else printed[0], ensure_ascii=False, indent=2))
    return 0


def _run(model: ClipModel, target: Target, config: InversionConfig, title: str) -> InversionResult:
    with (
        tqdm(total=config.steps, unit="step", desc=title, disable=not sys.stderr.isatty()) as bar,
        _interrupt_keeps_best() as interrupted,
    ):

        def show(progress: Progress) -> bool:
            bar.set_postfix_str(f"{progress.similarity:.4f} {progress.prompt[:60]}", refresh=False)
            bar.update(progress.step - bar.n)
            return bool(interrupted)

        return invert(model, target, config, show)


@contextmanager
def _interrupt_keeps_best() -> Iterator[list[bool]]:
    """The first Ctrl-C ends the run with its best prompt; the second ends the program."""
    interrupted: list[bool] = []

    def once(*_: object) -> None:
        interrupted.append(True)
        signal.signal(signal.SIGINT, before)
        print("\nStopping; the best prompt so far follows.", file=sys.stderr)

    before = signal.signal(signal.SIGINT, once)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _print_result(result: dict[str, Any], with_names: bool) -> None:
    if with_names:
        print(f"{result['images'][0]}")
    print(f"prompt      {result['prompt']}")
    print(f"similarity  {result['similarity']:.4f}")
    print(f"steps       {result['steps']} in {result['seconds']:.1f} s ({result['stopped']}), model {result['model']}")
    for candidate in result["candidates"][1:4]:  # --json has them all
        print(f"also        {candidate['similarity']:.4f}  {candidate['text']}")
    if "plot" in result:
        print(f"picture     {result['plot']}")


def _plot_files(plot: Path | None, images: Sequence[str]) -> list[Path | None]:
    """Where each run's picture goes; looked over before a run is spent on it."""
    if plot is None:
        return [None] * len(images)
    if plot.suffix.lower() != ".png":
        raise PezError(f"--plot writes PNG: give a name that ends in .png, not {plot.name!r}.")
    if not plot.parent.is_dir():
        raise PezError(f"--plot: there is no folder {str(plot.parent)!r}.")
    if len(images) == 1:
        return [plot]
    return [plot.with_name(f"{plot.stem}-{i}-{Path(image).stem}.png") for i, image in enumerate(images, 1)]


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
    pictures = [as_rgb(path)[0] for path in given.images]
    model = _model(given)
    target = Target.from_images(model, pictures)
    feature = model.encode_texts([given.text])
    unknown = model.vocabulary.unknown_words(given.text)
    if unknown:
        print(f"The model {model.name} has never seen: {', '.join(unknown)}.", file=sys.stderr)
    similarity = target.similarity(feature).item()
    each = (target.features @ feature[0]).tolist()
    if given.json:
        scored = [{"image": path, "similarity": value} for path, value in zip(given.images, each, strict=True)]
        print(
            json.dumps({"text": given.text, "similarity": similarity, "images": scored, "model": model.name}, indent=2)
        )
        return 0
    print(f"similarity  {similarity:.4f}")
    if len(each) > 1:
        for path, value in zip(given.images, each, strict=True):
            print(f"            {value:.4f}  {path}")
    return 0


def _model(given: argparse.Namespace) -> ClipModel:
    from .loading import load_model  # here: it imports open_clip, and --help should not wait for that

    return load_model(given.model, given.checkpoint, _device(given.device))


def _device(choice: str) -> torch.device:
    if choice == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(choice)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise PezError(f"The device {choice!r} cannot be used here: {first_line(error)}") from error
    return device
