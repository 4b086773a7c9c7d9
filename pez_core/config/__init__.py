"""The settings of an inversion, checked when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import PezError, shorten
from ..search.methods import METHODS
from ..text.bans import Ban
from .setting import AS_PRESET, MAX_SEED, RARE, READING, SEARCHING, WORDS, Setting, declared, settings_of

__all__ = [
    "AS_PRESET",
    "BETWEEN",
    "MAX_SEED",
    "PRECISIONS",
    "RARE",
    "READING",
    "SEARCHING",
    "SEARCH_PRESETS",
    "SETTINGS",
    "WORDS",
]
__all__ += ["InversionConfig", "Setting"]

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_USES_PRESET = "0 uses the preset."
BETWEEN = "|"  # separates texts to start from


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _ban(word: str) -> str:
    word = _one_line(word).lower()
    Ban.parse(word)
    return word


@dataclass(frozen=True, kw_only=True)
class InversionConfig:
    """How to search for a prompt.

    Each field is declared with its default, range and help; `SETTINGS` holds the declarations, and the command
    line, the nodes' widgets and the help pages are made from them. The defaults were chosen with
    `python -m benchmarks.quality`, `painting` and `readable`, on pictures that the embedded model was not trained on
    (docs/measurements.md).
    `preset()` has other whole configurations, `paper()` the published one.

    The same seed gives the same text. More steps with the same seed never score lower where readability is 0, except
    with fluentprompt, which cools down over all of its steps: the readable search starts from the words of other prompts then.

    Raises PezError naming the field, its value and its range.
    """

    length: int = declared(
        "whole",
        8,
        "Searched tokens; most words are one token. 8 to 16 suit most generators. Together with prefix and suffix at "
        "most 75. Above a readability of 0 an upper limit that does not count little words.",
        low=1,
        high=1_000,
        widget="length",
        node=SEARCHING,
        most=75,
        unset=0,
        unset_help=_USES_PRESET,
        flag="--length",
    )
    seed: int = declared(
        "whole",
        0,
        "The same seed gives the same prompt. Another seed gives another prompt.",
        high=MAX_SEED,
        widget="seed",
        node=SEARCHING,
        options={"control_after_generate": "fixed"},
        flag="--seed",
    )
    readability: float = declared(
        "number",
        0.0,
        "How much the prompt should read like a caption. 0: only the match counts. 0.2: reads better, and the included "
        "painter paints as close to the picture from it; the preset paper reads 0.2 as 0. 0.5 suits generators that read "
        "through a language model. 1: most natural, matches least.",
        high=1,
        step=0.05,
        widget="readability",
        node=READING,
        first=0.2,
        flag="--readability",
        flag_help="how much the prompt should read like a caption, from 0 to 1. 0: only the match counts. 0.2: reads better, and "
        "the included painter paints as close to the picture from it. 0.5 suits generators that read through a language model. "
        "1: most natural, matches least",
    )
    prefix: str = declared(
        "text",
        "",
        "Fixed text before the searched words, included in the prompt and its score. Example: a photo of",
        widget="prefix",
        node=WORDS,
        flag="--prefix",
        metavar="T",
        clean=_one_line,
    )
    suffix: str = declared(
        "text",
        "",
        "Fixed text after the searched words, included in the prompt and its score. Example: oil painting",
        widget="suffix",
        node=WORDS,
        flag="--suffix",
        metavar="T",
        clean=_one_line,
    )
    banned: tuple[str, ...] = declared(
        "words",
        (),
        "Words that must not appear, not even spelled from several tokens; separated by commas or lines. hair* bans "
        "everything that begins with hair.",
        widget="banned_words",
        node=WORDS,
        flag="--ban",
        metavar="WORD",
        flag_help="a word that must not appear, not even spelled from several tokens; hair* bans everything that begins "
        "with hair; may be repeated",
        clean=_ban,
    )
    keep: tuple[str, ...] = declared(
        "words",
        (),
        "Words or phrases that must be in the prompt, separated by commas. The search chooses their places; their "
        "tokens are part of the length.",
        widget="keep_words",
        node=WORDS,
        flag="--keep",
        metavar="WORDS",
        flag_help="words that must appear, in any place; their tokens are part of the length; may be repeated",
        clean=_one_line,
    )
    words: str = declared(
        "text",
        "",
        "Your own words to start from instead of random ones: a caption, an older prompt. The search changes them where "
        "that fits the picture better. With a readability above 0 each word stays unless another matches clearly better, and "
        "the result reads no worse. Several texts are separated by |: the best one is the start.",
        flag_help="your own words to start from instead of random ones: a caption, an older prompt. With --readability above 0 "
        "each word stays unless another matches clearly better, the result reads no worse, and of several texts, separated "
        "by |, the best one is the start; without it, restarts take them in turn. May be repeated: each is another text",
        between=BETWEEN,
        widget="start_words",
        node=WORDS,
        flag="--from-words",
        metavar="T",
        clean=_one_line,
    )
    steps: int = declared(
        "whole",
        88,
        "Maximum steps. With the same seed and a readability of 0, more steps never score lower (except with fluentprompt).",
        low=1,
        high=100_000,
        widget="steps",
        unset=0,
        unset_help=_USES_PRESET,
        flag="--steps",
    )
    restarts: int = declared(
        "whole",
        8,
        "Starts searched side by side. The best one wins, the others become candidates. Above a readability of 0 their words "
        "are what the readable search begins with.",
        low=1,
        high=1_024,
        widget="restarts",
        unset=0,
        unset_help=_USES_PRESET,
        flag="--restarts",
    )
    method: str = declared(
        "choice",
        "pez+swaps",
        "pez+swaps: PEZ, then single words are swapped and a swap is kept only where it helps. pez: the paper's. The "
        "others are baselines.",
        choices=tuple(METHODS),
        widget="method",
        unset=AS_PRESET,
        flag="--method",
        metavar="M",
    )
    swap_from: str = declared(
        "choice",
        "any",
        "Which words swaps may bring in. any: all words; scores higher in the searched model, and what the included painter "
        "paints from it is closer to the picture. found: those in the best prompts of the restarts (4 at least). In other "
        "models neither rates reliably higher than PEZ alone.",
        choices=("found", "any"),
        widget="swap_from",
        unset=AS_PRESET,
        flag="--swap-from",
        metavar="W",
    )
    vocabulary: str = declared(
        "choice",
        "dictionary",
        "dictionary: English words. words: all tokens of the English alphabet, also names, slang and parts of words. "
        "any: also digits, signs, emoji and other scripts.",
        choices=("dictionary", "words", "any"),
        widget="vocabulary",
        unset=AS_PRESET,
        flag="--vocabulary",
        metavar="MODE",
    )
    learning_rate: float | None = declared(
        "number",
        None,
        "Step size of the search. The paper's is 0.1.",
        high=100,
        open_low=True,
        optional=True,
        step=0.01,
        widget="learning_rate",
        unset=0,
        unset_help="0 uses the preset's, or the method's own.",
        flag="--learning-rate",
        flag_help="step size of the search (default: the method's own; 0.1 for pez)",
    )
    weight_decay: float = declared(
        "number",
        0.1,
        "Weight decay of the optimizer. The paper's is 0.1.",
        high=1,
        step=0.01,
        widget="weight_decay",
        flag="--weight-decay",
    )
    batch_size: int | None = declared(
        "whole",
        None,
        "Pictures drawn at random for each step's gradient, when there are many. Swaps always use all of them.",
        low=1,
        high=100_000,
        optional=True,
        widget="batch_size",
        unset=0,
        unset_help="0 uses the preset: all pictures (paper: one).",
        flag="--batch-size",
        flag_help="pictures drawn for each step's gradient (default: all)",
    )
    patience: int | None = declared(
        "whole",
        40,
        "Stop after this many steps without gain.",
        low=1,
        high=100_000,
        optional=True,
        widget="patience",
        unset=0,
        unset_help="0 uses the preset. -1 never stops early.",
        never=-1,
        flag="--patience",
        flag_help="stop after this many steps without gain, 0 for never",
        flag_never=0,
    )
    time_limit: float | None = declared(
        "number",
        None,
        "Stop after this many seconds and keep the best, for each prompt. Above a readability of 0, half of the time is kept "
        "for making the words readable. Runs ended by the limit may not be reproducible.",
        high=1e9,
        open_low=True,
        optional=True,
        widget="time_limit",
        most=86_400,
        unset_help="0 for no limit.",
        never=0,
        flag="--time-limit",
        metavar="S",
        flag_help="stop after this many seconds and keep the best (default: none)",
    )
    precision: str = declared(
        "choice",
        "auto",
        "Number format of the search. auto: half precision on NVIDIA and AMD cards where it agrees with fp32. Scores are "
        "always fp32.",
        choices=PRECISIONS,
        widget="precision",
        flag="--precision",
        metavar="P",
    )
    start: str = declared(
        "choice",
        "random",
        "What the search starts from. random: random tokens. tokens: the tokens that match best by themselves, which "
        "costs a pass for every token that may be used. words: your own `words`.",
        choices=("random", "tokens", "words"),
    )
    optimizer: str = declared(
        "choice",
        "adamw",
        "What moves the continuous prompt of PEZ: adamw, as for pictures, or adafactor, as in the paper's experiment with "
        "language models.",
        choices=("adamw", "adafactor"),
    )
    explore: int = declared(
        "whole", 50, "Steps of PEZ in pez+swaps; the rest are swaps, on the better half.", low=1, high=100_000
    )
    halving: int = declared(
        "whole", 8, "Steps of swaps after which the worse half of the restarts is given up.", low=1, high=100_000
    )
    candidates: int = declared("whole", 32, "Swaps scored in a step, for each restart.", low=1, high=10_000)
    top: int = declared("whole", 32, "Tokens considered at each place, the best by gradient.", low=1, high=10_000)
    depth: int = declared(
        "whole",
        1,
        "How thorough the readable search is, above a readability of 0: its beams, its rounds and the changes tried in each "
        "are multiplied by this.",
        low=1,
        high=100,
    )

    def __post_init__(self) -> None:
        for name, setting in settings_of(self).items():
            object.__setattr__(self, name, setting.checked(getattr(self, name)))

    @property
    def own_texts(self) -> tuple[str, ...]:
        """The texts of `words` to start from, each once, several of them separated by BETWEEN; () for a search that starts
        otherwise.

        Raises PezError if there is none.
        """
        if self.start != "words":
            return ()
        texts = tuple(dict.fromkeys(filter(None, map(str.strip, self.words.split(BETWEEN)))))
        if not texts:
            raise PezError(
                f"The search cannot start from the words {shorten(self.words)!r}: there are none. Give some, or start at random."
            )
        return texts

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

    @classmethod
    def of_widgets(
        cls, preset: str, values: Mapping[str, Any], firsts: Mapping[str, Any] | None = None
    ) -> InversionConfig:
        """The configuration of a preset and the `values` of widgets, by their names.

        A widget that holds its `unset` value leaves the setting to the preset, and so does one that still holds its `first`
        value, if the preset has one of its own; its `never` value stands for None;
        a text of several words is separated by commas or lines; start words make the search start from them. A widget
        without a value holds its first one.

        firsts: by the name of a setting, the first value of a node whose widget has another than the declared one.
        """
        changes: dict[str, Any] = {}
        for name, setting in SETTINGS.items():
            first = (firsts or {}).get(name, setting.first)
            missing = setting.unset if first is None else first
            value = values.get(setting.widget, missing) if setting.widget else setting.unset
            if value is None or (setting.unset is not None and value == setting.unset):
                continue
            if first is not None and value == first and name in SEARCH_PRESETS.get(preset, ()):
                continue
            if setting.kind == "words" and isinstance(value, str):
                value = value.replace("\n", ",").split(",")
            changes[name] = None if setting.never is not None and value == setting.never else value
        if str(changes.get("words", "")).strip():
            changes["start"] = "words"
        return cls.preset(preset, **changes)


SETTINGS: dict[str, Setting] = settings_of(InversionConfig)
"""The declarations of the fields, by their names, in the order in which people meet them."""

SEARCH_PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 26, "restarts": 6, "explore": 21, "halving": 2},
    "balanced": {},
    "thorough": {"steps": 200, "restarts": 16, "explore": 100, "halving": 16, "depth": 2},
    "paper": {
        "method": "pez",
        "readability": 0.0,
        "steps": 3000,
        "length": 16,
        "learning_rate": 0.1,
        "weight_decay": 0.1,
        "restarts": 1,
        "batch_size": 1,
        "vocabulary": "any",
        "swap_from": "any",
        "patience": None,
    },
}
"""Whole configurations by name; "balanced" are the defaults. Costs and scores: docs/measurements.md."""
