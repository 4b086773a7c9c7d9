"""The settings of a search for a prompt that classifies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from . import InversionConfig
from .setting import Setting, declared, settings_of

_BASE = settings_of(InversionConfig)


def _changed(name: str, default: Any, **more: Any) -> Any:
    """A field of InversionConfig with another default, and other parts of its declaration."""
    return field(default=default, metadata={"setting": replace(_BASE[name], **more)})


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(InversionConfig):
    """How to search for a prompt that makes a language model classify: InversionConfig with the defaults of the paper's
    experiment (ten tokens, Adafactor, one start) and a few settings of its own.

    The same seed gives the same text. Raises PezError naming the field, its value and its range.
    """

    length: int = _changed("length", 10, flag_help="searched tokens; most words are one token")
    steps: int = _changed("steps", 100)
    restarts: int = _changed("restarts", 1)
    words: str = _changed(
        "words",
        "",
        flag_help="your own words to start from instead of random ones; the search changes them where others classify better",
    )
    method: str = _changed(
        "method",
        "pez",
        help="pez: the paper's. pez+swaps: PEZ, then single words are swapped and a swap is kept only where it helps; each step "
        "of swaps costs as much as many of PEZ. The others are baselines.",
    )
    explore: int = _changed("explore", 50, flag="--explore", help="Steps of PEZ in pez+swaps; the rest are swaps.")
    candidates: int = _changed("candidates", 16, flag="--candidates")
    patience: int | None = _changed("patience", None)
    batch_size: int | None = _changed(
        "batch_size",
        16,
        help="Texts drawn at random for each step's gradient.",
        flag_help="texts drawn at random for each step's gradient",
    )
    optimizer: str = _changed("optimizer", "adafactor")
    fluency: float = declared(
        "number",
        0.0,
        "How much the prompt should read naturally to the language model, against classifying well. The paper's is 0.003.",
        high=1,
        step=0.001,
        flag="--fluency",
        metavar="F",
    )
    compared: int = declared(
        "whole",
        64,
        "Training texts on which swaps are compared; the same for all prompts.",
        low=1,
        high=1_000_000,
        flag="--compared",
    )
    calibration: int = declared(
        "whole",
        128,
        "Training texts that tell which labels the model names too readily; these are held back. About a hundred suffice, with "
        "several of each label. 0: none, as in the paper.",
        low=0,
        high=1_000_000,
        flag="--calibration",
        widget="calibration",
    )
    compare_every: int = declared(
        "whole",
        10,
        "Steps after which prompts are tried on the held-out texts.",
        low=1,
        high=100_000,
        flag="--compare-every",
    )


CLASSIFIER_SETTINGS: dict[str, Setting] = settings_of(ClassifierConfig)
"""The declarations of the fields, by their names."""
