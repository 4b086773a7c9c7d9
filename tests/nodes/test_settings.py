"""The widgets of a search, in a real ComfyUI, and the configurations that they select."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from graphs import graph, with_method

from pez_core import InversionConfig
from pez_core.config import SEARCH_PRESETS, SETTINGS

NODES = {"searching": "PEZInvert", "reading": "PEZInvert", "words": "PEZWords", "rare": "PEZSearchSettings"}


def widgets(comfy, node: str) -> dict[str, dict[str, Any]]:
    """The options of a node's inputs, also of those of the methods."""
    inputs = comfy.get(f"/object_info/{node}")[node]["input"]
    own = {name: more for kind in ("required", "optional") for name, (_, more) in inputs.get(kind, {}).items()}
    for option in own.get("method", {}).get("options", ()):
        own |= {name: more for kind in option["inputs"].values() for name, (_, more) in kind.items()}
    return own


def fresh(comfy) -> dict[str, Any]:
    """The values of the widgets of nodes that were just put into a graph."""
    every = {name: more for node in NODES.values() for name, more in widgets(comfy, node).items()}
    return {name: more["default"] for name, more in every.items() if "default" in more} | {"method": "as the preset"}


def searched(comfy, preset: str, **settings) -> dict[str, Any]:
    """The settings of a run that are not the configuration's defaults."""
    made = graph(preset=preset)
    own = {name: settings.pop(name) for name in ("length", "seed") if name in settings}
    made["invert"]["inputs"] |= {"length": 0, "seed": 0, **own}
    in_words = {name: value for name, value in settings.items() if SETTING_OF[name].node == "words"}
    made["words"]["inputs"] = in_words
    rare = {name: value for name, value in settings.items() if name not in in_words}
    made["settings"]["inputs"] = with_method(rare)
    inputs = {"result": ["invert", 3], "file": "settings", "format": "JSON Lines"}
    run = comfy.run(made | {"save": {"class_type": "PEZSavePrompts", "inputs": inputs}})
    assert not run.error
    return json.loads((comfy.base / "output" / "settings.jsonl").read_text().splitlines()[-1])["settings"]


SETTING_OF = {setting.widget: setting for setting in SETTINGS.values() if setting.widget}


def changed(config: InversionConfig) -> dict[str, Any]:
    default = asdict(InversionConfig())
    return json.loads(json.dumps({name: value for name, value in asdict(config).items() if value != default[name]}))


def test_every_declared_widget_is_shown_once_with_its_help(comfy):
    shown = {node: widgets(comfy, node) for node in NODES.values()}
    for name, setting in SETTING_OF.items():
        assert [node for node in shown if name in shown[node]] == [NODES[setting.node]]
        assert shown[NODES[setting.node]][name]["tooltip"] == setting.tooltip


@pytest.mark.parametrize("preset", SEARCH_PRESETS)
def test_fresh_nodes_leave_everything_to_the_preset(comfy, preset):
    first = {name: setting.first for name, setting in SETTINGS.items() if setting.first is not None}
    expected = InversionConfig(**{**first, **SEARCH_PRESETS[preset]})
    assert InversionConfig.of_widgets(preset, {**fresh(comfy), "length": 0}) == expected


def test_a_graph_without_readability_searches_with_what_the_widget_begins_with(comfy):
    made = graph(steps=3, seed=83)
    del made["invert"]["inputs"]["readability"]
    first = widgets(comfy, "PEZInvert")["readability"]["default"]
    assert comfy.run(made).output("invert")["pez"][0]["settings"]["readability"] == first > 0


def test_the_preset_paper_is_the_papers(comfy):
    assert searched(comfy, "paper", steps=3) == changed(InversionConfig.paper(steps=3))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"patience": -1}, {"patience": None}),
        ({"patience": 5, "batch_size": 2, "restarts": 3}, {"patience": 5, "batch_size": 2, "restarts": 3}),
        ({"time_limit": 1000.5}, {"time_limit": 1000.5}),
        ({"learning_rate": 0.003, "weight_decay": 0.0}, {"learning_rate": 0.003, "weight_decay": 0.0}),
        ({"method": "random"}, {"method": "random"}),
        ({"method": "pez", "learning_rate": 0.2}, {"method": "pez", "learning_rate": 0.2}),
        ({"banned_words": "hair*, eyes\nsky"}, {"banned": ["hair*", "eyes", "sky"]}),
        ({"keep_words": "red, oil painting", "prefix": " a  photo "}, {"keep": ["red", "oil painting"], "prefix": "a photo"}),
        ({"start_words": "a bird"}, {"words": "a bird", "start": "words"}),
        ({"start_words": "  "}, {}),
    ],
)  # fmt: skip
def test_widgets_ask_for_what_they_say(comfy, values, expected):
    assert searched(comfy, "balanced", **{"steps": 3, "length": 6, **values}) == {"steps": 3, "length": 6, **expected}


def test_wrong_words_are_reported_by_the_node_that_has_them(comfy):
    run = comfy.run(graph(prefix="an embedding:cat"))
    assert run.of("execution_error")[0]["node_id"] == "words"
