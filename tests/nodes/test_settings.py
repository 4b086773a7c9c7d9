"""The widgets of nodes that search, in a real ComfyUI, and the configurations that they select."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from graphs import graph

from pez_core import InversionConfig
from pez_core.config import SEARCH_PRESETS, SETTINGS

SEARCH = ["preset", "length", "seed"]
WORDS = ["prefix", "suffix", "banned_words", "keep_words", "start_words"]
ADVANCED = [
    *("steps", "restarts", "method", "swap_from", "vocabulary", "learning_rate", "weight_decay", "batch_size"),
    *("patience", "time_limit", "precision", "candidate"),
]
"""In this order, which saved workflows rely on: they hold the values of widgets by their places. New ones come last."""

SAVED = {
    "preset": "balanced",
    "length": 8,
    "seed": 3,
    **dict.fromkeys(WORDS, ""),
    "steps": 0,
    "restarts": 0,
    "method": "as the preset",
    "swap_from": "found",
    "vocabulary": "words",
    "learning_rate": 0.1,
    "weight_decay": 0.1,
    "batch_size": 0,
    "patience": 0,
    "time_limit": 0.0,
    "precision": "auto",
}
"""What a workflow of version 0.1.0 holds whose widgets nobody has touched."""


def widgets(comfy, node: str) -> dict[str, dict[str, Any]]:
    """The options of a node's inputs, in the order of the page: required ones first."""
    inputs = comfy.get(f"/object_info/{node}")[node]["input"]
    return {name: options for kind in ("required", "optional") for name, (_, options) in inputs[kind].items()}


def fresh(comfy, node: str) -> dict[str, Any]:
    """The values of a node that was just put into a graph."""
    return {name: options["default"] for name, options in widgets(comfy, node).items() if "default" in options}


def searched(comfy, **settings) -> dict[str, Any]:
    """The settings of a run that are not the configuration's defaults."""
    made = graph()
    made["invert"]["inputs"] = {"pez_model": ["model", 0], "image": ["image", 0], **settings}
    inputs = {"result": ["invert", 3], "file": "settings", "format": "JSON Lines"}
    run = comfy.run(made | {"save": {"class_type": "PEZSavePrompts", "inputs": inputs}})
    assert not run.error
    return json.loads((comfy.base / "output" / "settings.jsonl").read_text().splitlines()[-1])["settings"]


def changed(config: InversionConfig) -> dict[str, Any]:
    default = asdict(InversionConfig())
    return json.loads(json.dumps({name: value for name, value in asdict(config).items() if value != default[name]}))


def test_the_order_of_the_widgets_stays(comfy):
    expected = ["pez_model", "pictures", *SEARCH, "image", "target", "clip", *WORDS, *ADVANCED]
    assert list(widgets(comfy, "PEZInvert"))[: len(expected)] == expected
    expected = ["pez_model", "text", "ratio", "length", "preset", "seed", *WORDS, *ADVANCED]
    assert list(widgets(comfy, "PEZDistill"))[: len(expected)] == expected


def test_every_declared_widget_is_shown_with_its_help(comfy):
    for node in ("PEZInvert", "PEZDistill"):
        shown = widgets(comfy, node)
        for setting in SETTINGS.values():
            if setting.widget and (node, setting.widget) != ("PEZDistill", "length"):
                assert shown[setting.widget]["tooltip"] == setting.tooltip
                assert bool(shown[setting.widget].get("advanced")) == setting.advanced


@pytest.mark.parametrize("preset", SEARCH_PRESETS)
def test_a_fresh_node_leaves_everything_to_its_preset(comfy, preset):
    for node in ("PEZInvert", "PEZDistill"):
        values = fresh(comfy, node)
        assert InversionConfig.of_widgets(preset, values) == InversionConfig.preset(preset)


def test_the_preset_paper_is_the_papers(comfy):
    values = {**fresh(comfy, "PEZInvert"), "preset": "paper", "steps": 3}
    assert searched(comfy, **values) == changed(InversionConfig.paper(steps=3))


def test_saved_workflows_mean_what_they_meant(comfy):
    assert fresh(comfy, "PEZInvert").keys() >= SAVED.keys()
    assert searched(comfy, pictures="one prompt for all", **{**SAVED, "steps": 3}) == changed(
        InversionConfig(length=8, seed=3, steps=3, learning_rate=0.1)
    )
    own = {**SAVED, "preset": "paper", "steps": 3}
    assert searched(comfy, pictures="one prompt for all", **own) == changed(
        InversionConfig.paper(length=8, seed=3, steps=3, vocabulary="words", swap_from="found")
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"patience": -1}, {"patience": None}),
        ({"patience": 5, "batch_size": 2, "restarts": 3}, {"patience": 5, "batch_size": 2, "restarts": 3}),
        ({"time_limit": 1000.5}, {"time_limit": 1000.5}),
        ({"learning_rate": 0.003, "weight_decay": 0.0}, {"learning_rate": 0.003, "weight_decay": 0.0}),
        ({"banned_words": "hair*, eyes\nsky"}, {"banned": ["hair*", "eyes", "sky"]}),
        ({"keep_words": "red, oil painting", "prefix": " a  photo "}, {"keep": ["red", "oil painting"], "prefix": "a photo"}),
        ({"start_words": "a bird"}, {"words": "a bird", "start": "words"}),
        ({"start_words": "  "}, {}),
    ],
)  # fmt: skip
def test_widgets_ask_for_what_they_say(comfy, values, expected):
    values = {**fresh(comfy, "PEZInvert"), "steps": 3, "length": 6, **values}
    assert searched(comfy, **values) == {"steps": 3, "length": 6, **expected}
