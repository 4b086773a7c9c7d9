"""The widgets of a search and the configuration that they describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from comfy_api.latest import io

from ..pez_core import InversionConfig, PezError, escape_for_comfyui
from ..pez_core.config import SEARCH_PRESETS, SEARCHING, SETTINGS, Setting
from ..pez_core.errors import shorten
from ..pez_core.search import METHODS
from .wires import PezSettings, PezWords

METHOD = "method"
OF_METHODS = {name for method in METHODS.values() for name in method.settings}  # each is shown with its methods only
FIXED = ("prefix", "suffix", "keep_words")  # inserted into the prompt unchanged


def search_inputs(without: str = "") -> list[io.Input]:
    """The preset and the settings that nodes that search show. without: one for which the node has its own widget."""
    own = [each for each in SETTINGS.values() if each.node == SEARCHING and each.widget not in ("", without)]
    preset = io.Combo.Input(
        "preset",
        options=list(SEARCH_PRESETS),
        default="balanced",
        tooltip="Search effort, at a readability of 0: fast about 1/6 of balanced, thorough about 4 times. Above it fast takes "
        "about 1/2 and thorough, which also reads more, about 3 times. paper: the published method with its own settings and "
        "3000 steps, slow.",
    )
    return [preset, *(widget_of(each, optional=False) for each in own)]


def wired_inputs() -> list[io.Input]:
    """The inputs for the nodes with the other settings."""
    return [
        PezWords.Input(
            "words", optional=True, tooltip="From PEZ Words: fixed, banned, kept and start words. Optional."
        ),
        PezSettings.Input(
            "settings",
            optional=True,
            tooltip="From PEZ Search Settings: method, steps, vocabulary and other rare settings. Optional.",
        ),
    ]


def candidate_input() -> io.Input:
    """The widget that selects one of the candidates of a search."""
    return io.Int.Input(
        "candidate",
        default=1,
        min=1,
        max=1024,
        optional=True,
        tooltip="Which candidate becomes the prompt. 1 is the best; larger numbers than there are candidates select the last. "
        "Choosing another one after a run does not search again.",
    )


def readability_input(first: float | None = None) -> io.Input:
    """The widget that says how much a prompt should read like a caption. first: what it holds at first; None as declared."""
    setting = SETTINGS["readability"]
    return widget_of(setting if first is None else replace(setting, first=first))


def settings_on(node: str) -> list[Setting]:
    """The settings that have a widget on nodes of this kind, without those that belong to single methods."""
    return [each for each in SETTINGS.values() if each.widget and each.node == node and each.name not in OF_METHODS]


def method_input() -> io.Input:
    """The method; with each, only the settings that it reads."""
    setting = SETTINGS[METHOD]
    options = [
        io.DynamicCombo.Option(
            choice, [widget_of(SETTINGS[name]) for name in (METHODS[choice].settings if choice in METHODS else ())]
        )
        for choice in setting.widget_choices
    ]
    return io.DynamicCombo.Input(setting.widget, options=options, optional=True, tooltip=setting.tooltip)


def config_of(
    preset: str,
    words: Mapping[str, Any] | None,
    settings: Mapping[str, Any] | None,
    firsts: Mapping[str, Any] | None = None,
    **own: Any,
) -> InversionConfig:
    """The configuration for the values of the widgets, by their names.

    words, settings: what PEZ_WORDS and PEZ_SETTINGS carry; None where they are not connected.
    firsts: the first values of widgets that begin with another than the declared one.

    Raises PezError for values that are not valid.
    """
    return InversionConfig.of_widgets(preset, {**(words or {}), **(settings or {}), **own}, firsts)


def checked(values: dict[str, Any]) -> dict[str, Any]:
    """The values of widgets, if they are valid by themselves.

    Raises PezError for those that are not, and for fixed words with a special meaning in CLIP Text Encode.
    """
    for name in FIXED:
        escape_for_comfyui(values.get(name, ""))
    config_of("balanced", values, None)
    return values


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
        raise PezError(
            f"weights must be numbers separated by commas, such as 1, 0.5, -1, not {shorten(text)!r}."
        ) from None
    if len(weights) != count:
        raise PezError(
            f"{count} inputs are connected, the weights are {len(weights)}, {shorten(text.strip())!r}: give one for each, or none."
        )
    return weights


def widget_of(setting: Setting, optional: bool = True) -> io.Input:
    """The widget of a setting."""
    shared = {"optional": optional, "tooltip": setting.tooltip, **(setting.options or {})}
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
