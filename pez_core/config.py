"""The settings of an inversion, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .errors import PezError
from .text.bans import Ban

VOCABULARY_MODES = ("words", "any")
METHODS = ("pez+swaps", "pez", "swaps", "autoprompt", "autoprompt-sgd", "fluentprompt", "random")
STARTS = ("random", "tokens", "words")
SWAP_FROM = ("found", "any")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
MAX_SEED = 2**64 - 1  # what ComfyUI's seed widget reaches, and torch.Generator takes


@dataclass(frozen=True)
class InversionConfig:
    """How to search for a prompt.

    The defaults were measured with `python -m benchmarks.quality` on pictures that the embedded model was
    not trained on (the table is in the README): short restarts in a batch find as much as one long run of
    as many passes, in a fraction of its time, and swaps find more than as many further steps of PEZ.
    `preset()` has other whole configurations, `paper()` the published one.

    steps: most steps of the method, 1 to 100,000. The first steps are the same however many
        follow, but for fluentprompt, which cools over all of them.
    length: searched tokens, 1 to what the model's context leaves beside prefix and suffix.
    learning_rate: AdamW's, above 0, at most 100.
    weight_decay: AdamW's, 0 to 1.
    restarts: independent random starts searched side by side, 1 to 1,024.
    batch_size: target pictures drawn for each gradient of a descent; None takes all, as swaps always do. At
        least 1.
    seed: 0 to 2**64 - 1. The same seed gives the same text.
    prefix, suffix: fixed text before and after the searched tokens; scored with them.
    vocabulary: "words" (tokens that are plain English-alphabet words) or "any" (also digits, signs,
        emoji, other scripts); both hold only tokens whose text re-encodes to themselves.
    banned: words that must not appear, neither as a token nor spelled from several tokens in a row.
        `hair*` bans everything that begins with "hair", `*hair` what ends with it, `*hair*` what holds it.
    keep: words or phrases that must be in the prompt, in any place and order; their tokens are part of `length`.
    patience: stop after this many steps without a gain of 0.0001 in similarity, once restarts are no longer
        given up; None never does. At least 1.
    time_limit: stop after this many seconds; None never does. Above 0.
    method: "pez+swaps" (PEZ, then token swaps ranked by gradient and accepted only where they help), "pez" (the
        paper's), "swaps" (greedy coordinate gradient), "autoprompt" (HotFlip's ranking, one place at a time),
        "autoprompt-sgd", "fluentprompt" (both as in the paper's comparison), or "random" (the floor).
    explore: of "pez+swaps", the steps of PEZ; the rest are swaps, on the better half of the restarts, and on
        half of those after every `halving` steps, down to one. Both 1 to 100,000.
    candidates: swaps scored in a step, for each restart; top: tokens considered at each place, the best by
        gradient. Both 1 to 10,000.
    swap_from: which tokens swaps bring in. "found": those in the best prompts of all restarts, of which there must
        be 4 at least. They find a little less than "any" in the searched model, and prompts that hold in
        other models. Only of "pez+swaps".
    start: "random" tokens, "tokens" (those that fit best by themselves; costs a pass for every token that may be
        used, so it is for small models and GPUs), or "words": the person's own `words`.
    precision: what the search computes in, "auto", "fp32", "bf16" or "fp16". Auto takes half precision on
        CUDA and ROCm where it agrees with float32, and float32 elsewhere. Scores are float32 always.

    Raises PezError naming the field, its value and its range.
    """

    steps: int = 88
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
    keep: tuple[str, ...] = ()
    patience: int | None = 40
    time_limit: float | None = None
    precision: str = "auto"
    method: str = "pez+swaps"
    explore: int = 50
    halving: int = 8
    candidates: int = 32
    top: int = 32
    swap_from: str = "found"
    start: str = "random"
    words: str = ""

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
        for name in ("prefix", "suffix", "words"):
            if not isinstance(getattr(self, name), str):
                raise PezError(f"{name} must be text, not {getattr(self, name)!r}.")
            object.__setattr__(self, name, " ".join(getattr(self, name).split()))
        self._choice("vocabulary", VOCABULARY_MODES)
        self._choice("precision", PRECISIONS)
        self._choice("method", METHODS)
        self._choice("start", STARTS)
        self._choice("swap_from", SWAP_FROM)
        for name in ("explore", "halving"):
            self._whole(name, 1, 100_000)
        for name in ("candidates", "top"):
            self._whole(name, 1, 10_000)
        for name in ("banned", "keep"):
            value = getattr(self, name)
            if isinstance(value, str) or not all(isinstance(word, str) for word in value):
                raise PezError(f"{name} must be a list of words, not {value!r}.")
        object.__setattr__(self, "keep", tuple(" ".join(word.split()) for word in self.keep if word.strip()))
        object.__setattr__(self, "banned", tuple(word.strip().lower() for word in self.banned if word.strip()))
        for word in self.banned:
            Ban.parse(word)

    @classmethod
    def paper(cls, **changes: Any) -> InversionConfig:
        """The settings of the published code (3000 steps, one start, one target a step); `changes` on top."""
        return cls.preset("paper", **changes)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> InversionConfig:
        """A whole configuration by name, one of SEARCH_PRESETS; `changes` on top."""
        if name not in SEARCH_PRESETS:
            raise PezError(f"preset must be one of {', '.join(SEARCH_PRESETS)}, not {name!r}.")
        return cls(**{**SEARCH_PRESETS[name], **changes})

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


SEARCH_PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 26, "restarts": 6, "explore": 21, "halving": 2},
    "balanced": {},
    "thorough": {"steps": 200, "restarts": 16, "explore": 100, "halving": 16},
    "paper": {
        "method": "pez",
        "steps": 3000,
        "length": 16,
        "learning_rate": 0.1,
        "weight_decay": 0.1,
        "restarts": 1,
        "batch_size": 1,
        "vocabulary": "any",
        "patience": None,
    },
}
"""What a person chooses by name; "balanced" are the defaults. Costs and scores: `python -m benchmarks.quality`."""
