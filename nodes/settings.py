"""The widgets of a search, shared by several nodes, and the configuration that they describe."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..pez_core import InversionConfig, PezError, escape_for_comfyui
from ..pez_core.config import SEARCH_PRESETS, SETTINGS, Setting

REQUIRED = ("length", "seed")  # ComfyUI puts required inputs first; saved workflows store widget values by position
LAST = "precision"  # the last setting before the candidate
FIXED = ("prefix", "suffix", "keep_words")  # inserted into the prompt unchanged


def _preset_input() -> io.Combo.Input:
    """The preset widget."""
    return io.Combo.Input(
        "preset",
        options=list(SEARCH_PRESETS),
        default="balanced",
        tooltip="Search effort. fast: about 1/6 of balanced. thorough: about 4 times balanced. paper: the published method "
        "with its own settings and 3000 steps, slow.",
    )


def search_inputs(without: str = "") -> list[io.Input]:
    """The preset, a widget for each setting that nodes show, in order, and the candidate.

    without: a setting for which the node has its own widget. Saved workflows store widget values by position, so the
    candidate stays after LAST, and newer settings come after it.
    """
    shown = [setting for setting in SETTINGS.values() if setting.widget]
    place = 1 + next(i for i, setting in enumerate(shown) if setting.widget == LAST)
    first, later = (
        [_input(each) for each in part if each.widget != without] for part in (shown[:place], shown[place:])
    )
    return [_preset_input(), *first, _candidate_input(), *later]


def _candidate_input() -> io.Int.Input:
    """The widget that selects one of the candidates of a search."""
    return io.Int.Input(
        "candidate",
        default=1,
        min=1,
        max=1024,
        optional=True,
        advanced=True,
        tooltip="Which candidate becomes the prompt. 1 is the best; larger numbers than there are candidates select the last. "
        "Choosing another one after a run does not search again.",
    )


def config_of(preset: str, **values: Any) -> InversionConfig:
    """The configuration for the values of the widgets, by their names.

    Raises PezError for values that are not valid, and for fixed words with a special meaning in CLIP Text Encode.
    """
    for name in FIXED:
        escape_for_comfyui(values.get(name, ""))
    return InversionConfig.of_widgets(preset, values)


def weights_of(text: str, count: int) -> list[float]:
    """The `count` weights in a text, separated by commas; all 1 if it is empty.

    Raises PezError for a wrong number of weights, and for anything that is not a number.
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


def _input(setting: Setting) -> io.Input:
    shared = {
        "optional": setting.widget not in REQUIRED,
        "advanced": setting.advanced or None,
        "tooltip": setting.tooltip,
        **(setting.options or {}),
    }
    default = setting.widget_default
    if setting.kind == "choice":
        return io.Combo.Input(setting.widget, options=list(setting.widget_choices), default=default, **shared)
    if setting.kind in ("text", "words"):
        return io.String.Input(setting.widget, default="", dynamic_prompts=False, **shared)
    low, high = setting.widget_limits
    if setting.kind == "whole":
        return io.Int.Input(setting.widget, default=default, min=low, max=high, **shared)
    return io.Float.Input(
        setting.widget,
        default=float(default),
        min=float(low),
        max=float(high),
        step=setting.step,
        round=setting.step / 100,  # allows finer values when typed
        **shared,
    )
