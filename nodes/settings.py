"""The widgets of a search, which several nodes have, and the configuration that they ask for."""

from __future__ import annotations

import re

from comfy_api.latest import io

from ..pez_core import InversionConfig, PezError, escape_for_comfyui
from ..pez_core.config import MAX_SEED, METHODS, PRECISIONS, SEARCH_PRESETS, SWAP_FROM, VOCABULARY_MODES

AS_PRESET = "as the preset"
_DEFAULT = InversionConfig()


def preset_input() -> io.Combo.Input:
    return io.Combo.Input(
        "preset",
        options=list(SEARCH_PRESETS),
        default="balanced",
        tooltip="How much is searched. fast: a sixth of balanced; thorough: four times as much. paper: the published "
        "method and its 3000 steps, slow.",
    )


def length_input() -> io.Int.Input:
    return io.Int.Input(
        "length",
        default=_DEFAULT.length,
        min=1,
        max=75,
        tooltip="Searched tokens; most words are one token. 8 to 16 suit most generators. Together with prefix and "
        "suffix at most 75.",
    )


def seed_input() -> io.Int.Input:
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=MAX_SEED,
        control_after_generate=True,
        tooltip="The same seed gives the same prompt. Another seed, another prompt.",
    )


def word_inputs() -> list[io.Input]:
    """Fixed, banned, kept and first words."""
    return [
        io.String.Input(
            "prefix",
            default="",
            optional=True,
            dynamic_prompts=False,
            tooltip="Fixed text before the searched words, part of the prompt and of its score: a photo of",
        ),
        io.String.Input(
            "suffix",
            default="",
            optional=True,
            dynamic_prompts=False,
            tooltip="Fixed text after the searched words, part of the prompt and of its score: oil painting",
        ),
        io.String.Input(
            "banned_words",
            default="",
            multiline=True,
            optional=True,
            dynamic_prompts=False,
            placeholder="banned words, separated by commas",
            tooltip="Words that must not appear, not even spelled from several tokens; separated by commas or lines. "
            "hair* bans everything that begins with hair.",
        ),
        io.String.Input(
            "keep_words",
            default="",
            optional=True,
            dynamic_prompts=False,
            tooltip="Words or phrases that must be in the prompt, separated by commas. The search finds their places; their tokens "
            "are part of the length.",
        ),
        io.String.Input(
            "start_words",
            default="",
            optional=True,
            dynamic_prompts=False,
            tooltip="Words of your own to start from instead of random ones: a caption, an older prompt. They are "
            "changed where that fits the picture better.",
        ),
    ]


def advanced_inputs() -> list[io.Input]:
    return [
        io.Int.Input(
            "steps",
            default=0,
            min=0,
            max=100_000,
            optional=True,
            advanced=True,
            tooltip="Most steps of the search. 0: as the preset has it. More steps with the same seed never find less (but for fluentprompt).",
        ),
        io.Int.Input(
            "restarts",
            default=0,
            min=0,
            max=1024,
            optional=True,
            advanced=True,
            tooltip="Starts searched side by side; the best one wins, the others become candidates. 0: as the preset.",
        ),
        io.Combo.Input(
            "method",
            options=[AS_PRESET, *METHODS],
            default=AS_PRESET,
            optional=True,
            advanced=True,
            tooltip="pez+swaps: PEZ, then swaps of single words that are kept only where they help. pez: the paper's. "
            "The others are there to compare with.",
        ),
        io.Combo.Input(
            "swap_from",
            options=list(SWAP_FROM),
            default=_DEFAULT.swap_from,
            optional=True,
            advanced=True,
            tooltip="Which words swaps bring in. found: those that the restarts have found; such prompts hold in other "
            "models too. any: all words; the similarity rises more, in this model alone.",
        ),
        io.Combo.Input(
            "vocabulary",
            options=list(VOCABULARY_MODES),
            default=_DEFAULT.vocabulary,
            optional=True,
            advanced=True,
            tooltip="words: tokens that are plain words. any: also digits, signs, emoji and other scripts.",
        ),
        io.Float.Input(
            "learning_rate",
            default=_DEFAULT.learning_rate,
            min=0.0001,
            max=100.0,
            step=0.01,
            round=0.0001,
            optional=True,
            advanced=True,
            tooltip="Step size of the optimiser. The paper's is 0.1.",
        ),
        io.Float.Input(
            "weight_decay",
            default=_DEFAULT.weight_decay,
            min=0.0,
            max=1.0,
            step=0.01,
            round=0.0001,
            optional=True,
            advanced=True,
            tooltip="Pull of the optimiser towards zero. The paper's is 0.1.",
        ),
        io.Int.Input(
            "batch_size",
            default=0,
            min=0,
            max=100_000,
            optional=True,
            advanced=True,
            tooltip="Pictures drawn at random for each step's gradient, when there are many. 0: as the "
            "preset has it, which is all (paper: one). Swaps always take all.",
        ),
        io.Int.Input(
            "patience",
            default=0,
            min=-1,
            max=100_000,
            optional=True,
            advanced=True,
            tooltip="Stop after so many steps without gain. 0: as the preset has it. -1 never stops early.",
        ),
        io.Float.Input(
            "time_limit",
            default=0.0,
            min=0.0,
            max=86_400.0,
            step=1.0,
            optional=True,
            advanced=True,
            tooltip="Stop after so many seconds and keep the best, for each prompt. 0 for no limit. A run cut short "
            "by time need not repeat exactly.",
        ),
        io.Combo.Input(
            "precision",
            options=list(PRECISIONS),
            default=_DEFAULT.precision,
            optional=True,
            advanced=True,
            tooltip="What the search computes in. auto: half precision on NVIDIA and AMD cards where it agrees "
            "with fp32. Scores are fp32 always.",
        ),
    ]


def candidate_input() -> io.Int.Input:
    return io.Int.Input(
        "candidate",
        default=1,
        min=1,
        max=1024,
        optional=True,
        advanced=True,
        tooltip="Which of the candidates is delivered as the prompt: 1 is the best, a number that is too high the last. "
        "Choosing another one after a run does not search again.",
    )


def config_of(
    preset: str,
    banned_words: str = "",
    keep_words: str = "",
    batch_size: int = 0,
    time_limit: float = 0.0,
    start_words: str = "",
    steps: int = 0,
    restarts: int = 0,
    patience: int = 0,
    method: str = AS_PRESET,
    **settings,
) -> InversionConfig:
    """The widgets as a configuration: 0 stands for None or the preset's, texts for lists of words.

    Raises PezError for what no configuration takes, and for fixed words that CLIP Text Encode reads as something
    else than words.
    """
    own = {"steps": steps, "restarts": restarts, "patience": patience, "batch_size": batch_size}
    for name, value in own.items():
        if value:
            settings[name] = value if value > 0 else None
    if method != AS_PRESET:
        settings["method"] = method
    if start_words.strip():
        settings |= {"start": "words", "words": start_words}
    for name in ("prefix", "suffix"):
        escape_for_comfyui(settings.get(name, ""))
    escape_for_comfyui(keep_words)
    return InversionConfig.preset(
        preset, banned=_listed(banned_words), keep=_listed(keep_words), time_limit=time_limit or None, **settings
    )


def weights_of(text: str, count: int) -> list[float]:
    """Weights separated by commas; all 1 where none is given.

    Raises PezError for another number of them, or what is no number.
    """
    given = [part.strip() for part in text.split(",") if part.strip()]
    if not given:
        return [1.0] * count
    try:
        weights = [float(part) for part in given]
    except ValueError:
        raise PezError(f"weights must be numbers separated by commas, such as 1, 0.5, -1, not {text!r}.") from None
    if len(weights) != count:
        raise PezError(f"{count} inputs are connected, weights has {len(weights)} numbers: give one for each, or none.")
    return weights


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in re.split(r"[,\n]", text) if word.strip())
