"""Graphs as ComfyUI's API takes them."""

from __future__ import annotations

import json
from typing import Any

EMBEDDED = "Embedded (emoji-like pictures, no download)"
OWN = {"pictures": "one prompt for all", "preset": "balanced", "length": 6, "seed": 1, "readability": 0}
RARE = {"steps": 60, "restarts": 4}
WORDS = ("prefix", "suffix", "banned_words", "keep_words", "start_words")


def graph(model: dict[str, Any] | None = None, image: str = "penguin.png", **settings: Any) -> dict[str, Any]:
    """Load Image -> PEZ Invert -> what CLIP Text Encode would read.

    settings: of PEZ Invert, PEZ Words and PEZ Search Settings, by the names of their inputs.
    """
    return {
        "model": {"class_type": "PEZLoadModel", "inputs": {"model": EMBEDDED, **(model or {})}},
        "image": {"class_type": "LoadImage", "inputs": {"image": image}},
        **search(["image", 0], **settings),
        "tokens": {"class_type": "TestTokens", "inputs": {"text": ["invert", 0]}},
        "scores": {"class_type": "TestShow", "inputs": {"values": ["invert", 1]}},
        "candidates": {"class_type": "TestShow", "inputs": {"values": ["invert", 2]}},
    }


def search(image: list[Any], **settings: Any) -> dict[str, Any]:
    """PEZ Invert with the nodes of its words and settings."""
    own = {name: settings.pop(name) for name in (*OWN, "candidate", "clip", "language_model") if name in settings}
    words = {name: settings.pop(name) for name in WORDS if name in settings}
    wires = {"pez_model": ["model", 0], "image": image, "words": ["words", 0], "settings": ["settings", 0]}
    return {
        "words": {"class_type": "PEZWords", "inputs": words},
        "settings": {"class_type": "PEZSearchSettings", "inputs": {**RARE, **with_method(settings)}},
        "invert": {"class_type": "PEZInvert", "inputs": {**wires, **OWN, **own}},
    }


def with_method(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as PEZ Search Settings takes them: those of single methods are inputs of the method."""
    of_methods = {name for name in settings if name in ("swap_from", "learning_rate", "weight_decay", "batch_size")}
    chosen = {"method": settings.get("method", "pez+swaps")} if of_methods else {}
    return {f"method.{name}" if name in of_methods else name: value for name, value in {**settings, **chosen}.items()}


def shown(run: Any, node: str) -> list[Any]:
    return json.loads(run.output(node)["values"][0])


def inverted(target: dict[str, Any], *, model: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Nodes of a target, the last of which is called "target" -> PEZ Invert."""
    made = graph(model, **settings)
    del made["image"]
    made["invert"]["inputs"]["image"] = ["target", 0]
    return made | target


def picture(file: str) -> dict[str, Any]:
    return {"class_type": "LoadImage", "inputs": {"image": file}}
