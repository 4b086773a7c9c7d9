"""Options that commands share, and what they ask for."""

from __future__ import annotations

import argparse
from typing import Any

import torch

from ..config import METHODS, PRECISIONS, SEARCH_PRESETS, SWAP_FROM, VOCABULARY_MODES, InversionConfig
from ..errors import PezError, first_line
from ..models.clip import ClipModel
from ..models.presets import EMBEDDED

PROGRAM = "python -m pez_core"


def add_model(parser: argparse.ArgumentParser) -> None:
    """Options for the model."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help=f"see `{PROGRAM} models` (default: {EMBEDDED}); given more than once, one prompt is for all of them",
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        metavar="FILE",
        help="weights for the model's architecture from a local file; for several models as often, - for none",
    )
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:1, mps (default: %(default)s)"
    )


def model_of(given: argparse.Namespace) -> ClipModel:
    """The model that the options name, or several as one."""
    from ..models.combining import combine  # here: these import open_clip, and --help should not wait for that
    from ..models.loading import load_model

    names = given.model or [EMBEDDED]
    files = given.checkpoint or ["-"] * len(names)
    if len(files) != len(names):
        raise PezError(f"{len(names)} models need as many checkpoints (- for none), not {len(files)}.")
    device = _device(given.device)
    models = [load_model(name, None if file == "-" else file, device) for name, file in zip(names, files, strict=True)]
    return models[0] if len(models) == 1 else combine(models)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Options for InversionConfig's fields; one that is not given leaves the configuration's own default."""
    ours = InversionConfig()

    def add(flag: str, kind: type, text: str, metavar: str = "N", **more: Any) -> None:
        typed = {} if more.get("action") == "store_true" else {"type": kind, "metavar": metavar}
        parser.add_argument(flag, default=argparse.SUPPRESS, help=text, **typed, **more)

    parser.add_argument(
        "--preset", choices=SEARCH_PRESETS, default="balanced", help="settings to start from (default: %(default)s)"
    )
    add("--method", str, f"of the search (default: {ours.method})", "M", choices=METHODS)
    add("--swap-from", str, f"tokens that swaps bring in (default: {ours.swap_from})", "W", choices=SWAP_FROM)
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
        "--keep",
        str,
        "words that must appear, in any place; part of the length; may be repeated",
        "WORDS",
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


def config_of(given: argparse.Namespace) -> InversionConfig:
    """The configuration that the options ask for."""
    names = {
        "steps", "length", "restarts", "seed", "prefix", "suffix", "vocabulary",
        "learning_rate", "weight_decay", "batch_size", "patience", "time_limit", "precision", "method", "swap_from",
    }  # fmt: skip
    settings = {name: value for name, value in vars(given).items() if name in names}
    if settings.get("patience") == 0:
        settings["patience"] = None
    if hasattr(given, "ban"):
        settings["banned"] = tuple(given.ban)
    if hasattr(given, "keep"):
        settings["keep"] = tuple(given.keep)
    if hasattr(given, "from_words"):
        settings |= {"start": "words", "words": given.from_words}
    elif hasattr(given, "from_tokens"):
        settings["start"] = "tokens"
    return InversionConfig.preset(given.preset, **settings)


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
