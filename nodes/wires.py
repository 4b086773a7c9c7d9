"""The types of connections between this pack's nodes, and the inputs and outputs that several nodes share.

PEZ_MODEL carries a ClipModel, PEZ_LANGUAGE_MODEL a LanguageModel, PEZ_TARGET a tuple of sources, PEZ_RESULT a NodeResult, PEZ_CLASSIFIER a
Classifier; PEZ_WORDS and PEZ_SETTINGS carry the values of widgets by their names.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from comfy_api.latest import io
from PIL import Image

import nodes

from ..pez_core import InversionConfig, InversionResult, escape_for_comfyui
from ..pez_core.targets.labelled import Examples
from ..pez_core.targets.task import LabelTask

PezModel = io.Custom("PEZ_MODEL")
PezLanguageModel = io.Custom("PEZ_LANGUAGE_MODEL")
PezTarget = io.Custom("PEZ_TARGET")
PezResult = io.Custom("PEZ_RESULT")
PezWords = io.Custom("PEZ_WORDS")
PezSettings = io.Custom("PEZ_SETTINGS")
PezClassifier = io.Custom("PEZ_CLASSIFIER")
FOUND = {PezResult.io_type, PezClassifier.io_type}
"""What only nodes that search return."""


def searches(kind: Any) -> bool:
    """Whether nodes of this kind search, which their outputs show."""
    known = nodes.NODE_CLASS_MAPPINGS.get(kind) if isinstance(kind, str) else None
    return not FOUND.isdisjoint(getattr(known, "RETURN_TYPES", None) or ())


def model_input() -> io.Input:
    """The model of a node that searches."""
    return PezModel.Input("pez_model", tooltip="From PEZ Load Model, PEZ Model From CLIP or PEZ Combine Models.")


def model_output() -> io.Output:
    """The output of the nodes that make a model."""
    return PezModel.Output(
        "pez_model", display_name="pez_model", tooltip="Connect to PEZ Invert, PEZ Distill or PEZ Score."
    )


def language_input() -> io.Input:
    """The language model of a node that makes prompts readable."""
    return PezLanguageModel.Input(
        "language_model",
        optional=True,
        tooltip="From PEZ Load Language Model: says how naturally prompts read, for a readability above 0. Without it the "
        "embedded one does. Optional.",
    )


def language_output() -> io.Output:
    """The output of the node that loads a language model."""
    return PezLanguageModel.Output(
        "language_model",
        display_name="language_model",
        tooltip="Connect to PEZ Invert, PEZ Distill, PEZ Learn Classifier Prompt or PEZ Classify Text.",
    )


@dataclass(frozen=True)
class Classifier:
    """A learned prompt and what it answers: what PEZ_CLASSIFIER carries.

    model: the name of the language model that it was learned with, and that its task is calibrated for. calibrating: the texts
    that calibrate it for another one; None without calibration.
    """

    task: LabelTask
    prompt: str
    model: str
    calibrating: Examples | None = None


def picture_input(tooltip: str) -> io.Input:
    """What to match: pictures or a target."""
    return io.MultiType.Input("image", types=[io.Image, PezTarget], tooltip=tooltip)


@dataclass(frozen=True)
class NodeResult:
    """A result with its settings and target pictures: what PEZ_RESULT carries.

    number: which of the search's candidates it has first, from 1. search: a name for the search, the same for the same
    model, target and configuration.
    """

    result: InversionResult
    config: InversionConfig
    pictures: tuple[Image.Image, ...]
    number: int
    search: str

    def __str__(self) -> str:
        return self.result.prompt

    def delivered(self, text: str) -> str:
        """A prompt as the node returns it: escaped for CLIP Text Encode; one that classifies is returned as it is."""
        return escape_for_comfyui(text) if self.result.measure == "similarity" else text

    def to_json(self) -> dict[str, Any]:
        """Plain values: the result, and the settings that differ from their defaults."""
        plain = asdict(type(self.config)())
        settings = {name: value for name, value in asdict(self.config).items() if value != plain[name]}
        return {**self.result.to_json(), "prompt": self.delivered(self.result.prompt), "settings": settings}


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
            tooltip="The candidates, best first; with several pictures, one list after the other.",
        ),
        PezResult.Output(
            "result",
            display_name="result",
            is_output_list=True,
            tooltip="Connect to PEZ Choose by Generator, PEZ Weighted Prompt, PEZ Plot or PEZ Save Prompts.",
        ),
    ]
