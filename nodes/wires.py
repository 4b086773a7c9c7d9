"""The types of connections between this pack's nodes. PEZ_MODEL carries a ClipModel."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from comfy_api.latest import io
from PIL import Image

from ..pez_core import InversionConfig, InversionResult, escape_for_comfyui

PezModel = io.Custom("PEZ_MODEL")
PezTarget = io.Custom("PEZ_TARGET")
PezResult = io.Custom("PEZ_RESULT")

POINTS = 64  # points of the chart on a node, at most about twice as many


@dataclass(frozen=True)
class NodeResult:
    """A result with its settings and target pictures: what PEZ_RESULT carries."""

    result: InversionResult
    config: InversionConfig
    pictures: tuple[Image.Image, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values: the result, and the settings that differ from their defaults."""
        plain = asdict(InversionConfig())
        settings = {name: value for name, value in asdict(self.config).items() if value != plain[name]}
        return {**self.result.to_json(), "prompt": escape_for_comfyui(self.result.prompt), "settings": settings}


def result_outputs(similarity: str) -> list[io.Output]:
    """The outputs of nodes that search; `similarity`: the tooltip of that output."""
    return [
        io.String.Output(
            "prompt",
            display_name="prompt",
            is_output_list=True,
            tooltip="Ready for CLIP Text Encode. One prompt, or one per picture.",
        ),
        io.Float.Output("similarity", display_name="similarity", is_output_list=True, tooltip=similarity),
        io.String.Output(
            "candidates",
            display_name="candidates",
            is_output_list=True,
            tooltip="The best prompts of the restarts, best first; with several pictures, one list after the other.",
        ),
        PezResult.Output(
            "result", display_name="result", is_output_list=True, tooltip="Connect to PEZ Plot or PEZ Save Prompts."
        ),
    ]


def _panel_data(result: InversionResult) -> dict[str, Any]:
    """The data that the panel shows: exact scores, except in `trace`, the search's estimates."""
    every = max(1, len(result.trace) // POINTS)
    points = [(step, value) for step, value in enumerate(result.trace, 1) if math.isfinite(value)]
    return {
        "text": result.prompt,
        "delivered": escape_for_comfyui(result.prompt),
        "similarity": result.similarity,
        "tokens": [token.to_json() for token in result.tokens],
        "candidates": [each.to_json() for each in sorted(result.candidates, key=lambda each: -each.similarity)],
        "trace": [*points[:-1:every], *points[-1:]],
        "steps": result.steps,
        "seconds": result.seconds,
        "stopped": result.stopped,
    }


def result_output(outcomes: list[NodeResult]) -> io.NodeOutput:
    """What nodes that search return and display."""
    results = [each.result for each in outcomes]
    return io.NodeOutput(
        [escape_for_comfyui(result.prompt) for result in results],
        [result.similarity for result in results],
        [escape_for_comfyui(candidate.text) for result in results for candidate in result.candidates],
        outcomes,
        ui={
            "text": [result.prompt for result in results],
            "pez": [_panel_data(result) for result in results],
        },
    )
