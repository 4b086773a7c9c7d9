"""The settings of an inversion, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .bans import Ban
from .errors import PezError

VOCABULARY_MODES = ("words", "any")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
MAX_SEED = 2**64 - 1  # what ComfyUI's seed widget reaches, and torch.Generator takes


@dataclass(frozen=True)
class InversionConfig:
    """How to search for a prompt.

    The defaults were measured with `python -m benchmarks.defaults` on pictures that the embedded model
    was not trained on (the table is in the README): eight short restarts in a batch find as much as one
    long run of as many passes, in a fraction of its time; the learning rate hardly matters; a second
    model likes prompts of 8 tokens best; and a run that has not gained for half of its steps rarely gains
    again. `paper()` gives the published settings.

    steps: most optimiser steps, 1 to 100,000.
    length: searched tokens, 1 to what the model's context leaves beside prefix and suffix.
    learning_rate: AdamW's, above 0, at most 100.
    weight_decay: AdamW's, 0 to 1.
    restarts: independent random starts searched side by side, 1 to 1,024.
    batch_size: target pictures drawn for each step's gradient; None takes all. At least 1.
    seed: 0 to 2**64 - 1. The same seed gives the same text.
    prefix, suffix: fixed text before and after the searched tokens; scored with them.
    vocabulary: "words" (tokens that are plain English-alphabet words) or "any" (also digits, signs,
        emoji, other scripts); both hold only tokens whose text re-encodes to themselves.
    banned: words that must not appear, neither as a token nor spelled from several tokens in a row.
        `hair*` bans everything that begins with "hair", `*hair` what ends with it, `*hair*` what holds it.
    patience: stop after this many steps without a gain of 0.0001 in similarity; None never does. At least 1.
    time_limit: stop after this many seconds; None never does. Above 0.
    precision: what the search computes in, "auto", "fp32", "bf16" or "fp16". Auto takes half precision on
        CUDA and ROCm where it agrees with float32, and float32 elsewhere. Scores are float32 always.

    Raises PezError naming the field, its value and its range.
    """

    steps: int = 200
    length: int = 8
    learning_rate: float = 0.1
    weight_decay: float = 0.1
    restarts: int = 8
    batch_size: int | None = None
    seed: int = 0
    prefix: str = ""
    suffix: str = ""
    vocabulary: str = "words"
    banned: tuple[str, ...] = ()
    patience: int | None = 100
    time_limit: float | None = None
    precision: str = "auto"

    def __post_init__(self) -> None:
        self._whole("steps", 1, 100_000)
        self._whole("length", 1, 1_000, "to what the model's context holds")
        self._number("learning_rate", 0, 100, open_low=True)
        self._number("weight_decay", 0, 1)
        self._whole("restarts", 1, 1_024)
        self._whole("batch_size", 1, 100_000, optional=True)
        self._whole("seed", 0, MAX_SEED)
        self._whole("patience", 1, 100_000, optional=True)
        self._number("time_limit", 0, 1e9, open_low=True, optional=True)
        for name in ("prefix", "suffix"):
            if not isinstance(getattr(self, name), str):
                raise PezError(f"{name} must be text, not {getattr(self, name)!r}.")
            object.__setattr__(self, name, " ".join(getattr(self, name).split()))
        self._choice("vocabulary", VOCABULARY_MODES)
        self._choice("precision", PRECISIONS)
        if isinstance(self.banned, str) or not all(isinstance(word, str) for word in self.banned):
            raise PezError(f"banned must be a list of words, not {self.banned!r}.")
        object.__setattr__(self, "banned", tuple(word.strip().lower() for word in self.banned if word.strip()))
        for word in self.banned:
            Ban.parse(word)

    @classmethod
    def paper(cls, **changes: Any) -> InversionConfig:
        """The settings of the published code (3000 steps, one start, one target a step); `changes` on top."""
        published = {
            "steps": 3000,
            "length": 16,
            "learning_rate": 0.1,
            "weight_decay": 0.1,
            "restarts": 1,
            "batch_size": 1,
            "vocabulary": "any",
            "patience": None,
        }
        return cls(**{**published, **changes})

    def _choice(self, name: str, choices: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in choices:
            raise PezError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")

    def _whole(self, name: str, low: int, high: int, note: str = "", optional: bool = False) -> None:
        value = getattr(self, name)
        if optional and value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            most = note or ("to 2**64 - 1" if high == MAX_SEED else f"to {high:,}")
            raise PezError(f"{name} must be a whole number from {low} {most}, not {value!r}.")

    def _number(self, name: str, low: float, high: float, open_low: bool = False, optional: bool = False) -> None:
        value = getattr(self, name)
        if optional and value is None:
            return
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not good or not low <= value <= high or (open_low and value == low):
            raise PezError(
                f"{name} must be a number {'above' if open_low else 'from'} {low:g} to {high:g}, not {value!r}."
            )
