"""PEZ Invert."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..pez_core import ClipModel, PezError
from ..pez_core.targets.sources import PictureSource, Source, one_for_each
from .searching import HIDDEN, search
from .settings import config_of, search_inputs
from .wires import PezModel, PezTarget, result_outputs

ONE_FOR_ALL = "one prompt for all"
ONE_FOR_EACH = "one prompt for each"
MISSING = object()


class PEZInvert(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZInvert",
            display_name="PEZ Invert",
            category="PEZ",
            description="Finds a short prompt of real words that matches the picture. Connect it to CLIP Text Encode.",
            search_aliases=["hard prompts made easy", "image to prompt", "interrogate", "inversion", "describe image"],
            inputs=[
                PezModel.Input("pez_model", tooltip="From PEZ Load Model, PEZ Model From CLIP or PEZ Combine Models."),
                io.Image.Input("image", optional=True, tooltip="One picture or a batch. Or connect a target instead."),
                PezTarget.Input(
                    "target",
                    optional=True,
                    tooltip="Instead of an image: from PEZ Image Target, PEZ Text Target or PEZ Blend Targets.",
                ),
                io.Clip.Input(
                    "clip", optional=True, tooltip="Optional. Prompts this CLIP would tokenize differently are skipped."
                ),
                io.Combo.Input(
                    "pictures",
                    options=[ONE_FOR_ALL, ONE_FOR_EACH],
                    default=ONE_FOR_ALL,
                    tooltip="For several pictures: one prompt for what they have in common, or a list with one prompt per "
                    "picture (the nodes after this one then run once for each).",
                ),
                *search_inputs(),
            ],
            outputs=result_outputs(
                "Cosine similarity of prompt and picture according to the model, -1 to 1. Compare it only within one model."
            ),
            hidden=HIDDEN,
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, pez_model: object = None, image: object = MISSING, target: object = MISSING) -> bool | str:
        """A connected input is None here; an unconnected one keeps its default. ComfyUI shows errors at the inputs named
        here, so the model, which is always connected, is included."""
        return _one_of(image is not MISSING, target is not MISSING) or True

    @classmethod
    def execute(
        cls,
        pez_model: ClipModel,
        pictures: str,
        image: torch.Tensor | None = None,
        target: tuple[Source, ...] | None = None,
        clip: Any = None,
        candidate: int = 1,
        **settings: Any,
    ) -> io.NodeOutput:
        config = config_of(**settings)
        sources = _sources(image, target)
        wanted = one_for_each(sources) if pictures == ONE_FOR_EACH else [sources]
        return search(cls, pez_model, wanted, config, candidate, clip)


def _one_of(image: bool, target: bool) -> str:
    """What is wrong with the connected inputs; '' if nothing is."""
    if image and target:
        return "Both an image and a target are connected: disconnect one, or join them with PEZ Blend Targets."
    return "" if image or target else "Nothing to match is connected: connect an image or a target."


def _sources(image: torch.Tensor | None, target: tuple[Source, ...] | None) -> tuple[Source, ...]:
    wrong = _one_of(image is not None, target is not None)
    if wrong:  # a connected node may have been skipped
        raise PezError(wrong)
    if target is not None:
        return target
    if not len(image):
        raise PezError("No picture was given: the image input is an empty batch.")
    return (PictureSource.of(image),)
