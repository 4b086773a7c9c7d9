"""The names and the order of everything that saved workflows and other programs refer to. They do not change any more.

Saved workflows hold the values of widgets by their places: what is new comes last, and nothing is renamed. A node that
has to go gets a replacement: `await api.node_replacement.register(...)` in `PezExtension.on_load`.
"""

from __future__ import annotations

import pytest

RESULTS = ["prompt", "similarity", "candidates", "result"]
INTERFACE = {
    "PEZBatchFolder": (
        [
            *("pez_model", "folder", "recursive", "file", "captions", "restart", "preset", "length", "seed"),
            *("words", "settings", "readability", "language_model"),
        ],
        ["prompt", "name", "file"],
    ),
    "PEZBlendTargets": (["targets", "weights"], ["target"]),
    "PEZChooseByGenerator": (
        [
            *("model", "clip", "vae", "image", "texts", "result", "noises", "seed", "megapixels"),
            *("judge", "painted", "steps", "cfg"),
        ],
        ["prompt", "candidates", "gain", "table", "json"],
    ),
    "PEZClassifyText": (["text", "classifier", "language_model"], ["label", "probability", "number"]),
    "PEZCombineModels": (["models", "weights"], ["pez_model"]),
    "PEZDistill": (
        [
            "pez_model",
            "text",
            "ratio",
            "length",
            "preset",
            "seed",
            "words",
            "settings",
            "candidate",
            "readability",
            "language_model",
        ],
        RESULTS,
    ),
    "PEZDoctor": (["pez_model"], ["report"]),
    "PEZImageTarget": (["image", "weight", "crops", "flips", "mask"], ["target"]),
    "PEZInvert": (
        [
            "pez_model",
            "image",
            "pictures",
            "preset",
            "length",
            "seed",
            "words",
            "settings",
            "clip",
            "candidate",
            "readability",
            "language_model",
        ],
        RESULTS,
    ),
    "PEZLearnClassifier": (
        [
            "examples",
            "text",
            "label_words",
            "suffix",
            "length",
            "seed",
            "steps",
            "hold_out",
            "candidate",
            "language_model",
            "calibration",
        ],
        ["prompt", "accuracy", "candidates", "classifier"],
    ),
    "PEZLoadLanguageModel": (["language_model", "clip"], ["language_model"]),
    "PEZLoadModel": (["model", "name", "checkpoint"], ["pez_model"]),
    "PEZModelFromCLIP": (["clip", "clip_vision"], ["pez_model"]),
    "PEZPaint": (["texts", "seed", "steps", "guidance"], ["image"]),
    "PEZPlot": (["result"], ["image"]),
    "PEZPositiveAndNegative": (
        [
            *("pez_model", "image", "preset", "length", "seed", "words", "settings", "candidate", "readability"),
            *("language_model", "negative_image"),
        ],
        ["positive", "negative", "result"],
    ),
    "PEZSamplePicture": (["picture"], ["image"]),
    "PEZSavePrompts": (["result", "file", "format"], []),
    "PEZScore": (["pez_model", "texts", "image"], ["similarity", "table", "best"]),
    "PEZSearchSettings": (
        ["steps", "restarts", "vocabulary", "patience", "time_limit", "precision", "method"],
        ["settings"],
    ),
    "PEZTextTarget": (["text", "weight"], ["target"]),
    "PEZWeightedPrompt": (["result", "least", "most"], ["prompt"]),
    "PEZWords": (["prefix", "suffix", "banned_words", "keep_words", "start_words"], ["words"]),
}
METHODS = {
    "as the preset": [],
    "pez+swaps": ["swap_from", "learning_rate", "weight_decay", "batch_size"],
    "pez": ["learning_rate", "weight_decay", "batch_size"],
    "swaps": [],
    "autoprompt": [],
    "autoprompt-sgd": ["learning_rate", "batch_size"],
    "fluentprompt": ["learning_rate", "batch_size"],
    "random": [],
}
TYPES = {
    ("PEZClassifyText", "classifier"): "PEZ_CLASSIFIER",
    ("PEZLearnClassifier", "language_model"): "PEZ_LANGUAGE_MODEL",
    ("PEZInvert", "image"): "IMAGE,PEZ_TARGET",
    ("PEZInvert", "words"): "PEZ_WORDS",
    ("PEZInvert", "language_model"): "PEZ_LANGUAGE_MODEL",
    ("PEZInvert", "settings"): "PEZ_SETTINGS",
    ("PEZPositiveAndNegative", "negative_image"): "IMAGE,PEZ_TARGET",
    ("PEZScore", "image"): "IMAGE,PEZ_TARGET",
}
TYPED = [
    *("image to prompt", "prompt from image", "picture to prompt", "img2prompt", "reverse prompt", "interrogate"),
    *("clip interrogator", "describe image", "caption", "hard prompts", "pez", "image2prompt", "textual inversion"),
]


def inputs(info) -> dict:
    """The inputs of a node, in the order of the page: required ones first."""
    return {name: each for kind in ("required", "optional") for name, each in info["input"].get(kind, {}).items()}


@pytest.fixture(scope="module")
def own(comfy):
    every = comfy.get("/object_info")
    return {name: info for name, info in every.items() if info["python_module"].endswith("pez")}


def test_names_and_order_stay(own):
    assert {name: (list(inputs(info)), info["output_name"]) for name, info in own.items()} == INTERFACE
    for (node, name), kind in TYPES.items():
        assert inputs(own[node])[name][0] == kind


def test_each_method_shows_the_settings_that_it_reads(own):
    options = inputs(own["PEZSearchSettings"])["method"][1]["options"]
    shown = {each["key"]: [n for kind in each["inputs"].values() for n in kind] for each in options}
    assert shown == METHODS


def test_growing_inputs_are_counted_from_one(own):
    for node, name, first in (("PEZBlendTargets", "targets", "target1"), ("PEZCombineModels", "models", "pez_model1")):
        assert inputs(own[node])[name][1]["template"]["names"][0] == first


@pytest.mark.parametrize("typed", TYPED)
def test_what_people_type_names_only_pez_invert(own, typed):
    assert [name for name, info in own.items() if typed in info["search_aliases"]] == ["PEZInvert"]
