"""Distillation: a shorter text with the same meaning, according to a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .config import InversionConfig
from .errors import PezError, as_number, shorten
from .inversion import invert
from .models.clip import ClipModel
from .result import InversionResult, Progress
from .targets.sources import TextSource, make_target

RATIO = 0.3


def distill(
    model: ClipModel,
    text: str,
    ratio: float | None = None,
    config: InversionConfig | None = None,
    on_progress: Callable[[Progress], bool | None] | None = None,
) -> InversionResult:
    """Searches for a short prompt whose feature matches that of `text` (the paper's prompt distillation).

    ratio: searched tokens for each token of the text, above 0, at most 1. None: the configuration's length, and RATIO
        without a configuration.

    The result's similarity says how much of the text's meaning the short prompt keeps: 1 is all of it. Starting from
    the text's own words was tried: it works no better than starting at random.

    Raises PezError for an empty text or a ratio out of range.
    """
    target = make_target(model, [TextSource(text)])
    if config is None:
        config, ratio = InversionConfig(), RATIO if ratio is None else ratio
    if ratio is not None:
        config = replace(config, length=distilled_length(model, text, ratio))
    return invert(model, target, config, on_progress)


def distilled_length(model: ClipModel, text: str, ratio: float) -> int:
    """The number of tokens in the short prompt: `ratio` times the text's, at least one, at most what the model reads."""
    share = as_number(ratio)
    if not 0 < share <= 1:
        raise PezError(f"ratio must be above 0 and at most 1, not {shorten(repr(ratio))}.")
    vocabulary = model.vocabulary
    return min(max(1, round(share * len(vocabulary.encode(vocabulary.clean(text))))), vocabulary.room)
