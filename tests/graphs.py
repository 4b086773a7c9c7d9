"""Graphs as ComfyUI's API takes them."""

from __future__ import annotations

import json
from typing import Any

EMBEDDED = "Embedded (emoji-like pictures, no download)"
SETTINGS = {"pictures": "one prompt for all", "preset": "balanced", "steps": 60, "length": 6, "restarts": 4, "seed": 1}


def graph(model: dict[str, Any] | None = None, image: str = "penguin.png", **settings: Any) -> dict[str, Any]:
    """Load Image -> PEZ Invert -> what CLIP Text Encode would read."""
    return {
        "model": {"class_type": "PEZLoadModel", "inputs": {"model": EMBEDDED, **(model or {})}},
        "image": {"class_type": "LoadImage", "inputs": {"image": image}},
        "invert": {
            "class_type": "PEZInvert",
            "inputs": {"pez_model": ["model", 0], "image": ["image", 0], **SETTINGS, **settings},
        },
        "tokens": {"class_type": "TestTokens", "inputs": {"text": ["invert", 0]}},
        "scores": {"class_type": "TestShow", "inputs": {"values": ["invert", 1]}},
        "candidates": {"class_type": "TestShow", "inputs": {"values": ["invert", 2]}},
    }


def shown(run: Any, node: str) -> list[Any]:
    return json.loads(run.output(node)["values"][0])


def inverted(target: dict[str, Any], *, model: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Nodes of a target, the last of which is called "target" -> PEZ Invert."""
    made = graph(model, **settings)
    del made["image"], made["invert"]["inputs"]["image"]
    made["invert"]["inputs"]["target"] = ["target", 0]
    return made | target


def picture(file: str) -> dict[str, Any]:
    return {"class_type": "LoadImage", "inputs": {"image": file}}
