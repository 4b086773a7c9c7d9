"""PEZ Invert."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..pez_core import ClipModel, PezError, PictureSource
from ..pez_core.objectives.fluency import LanguageModel
from ..pez_core.targets.sources import Source, one_for_each
from .node import PezNode
from .searching import HIDDEN, search
from .settings import candidate_input, config_of, readability_input, search_inputs, wired_inputs
from .wires import language_input, model_input, picture_input, result_outputs

ONE_FOR_ALL = "one prompt for all"
ONE_FOR_EACH = "one prompt for each"


class PEZInvert(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZInvert",
            display_name="PEZ Invert (caption or interrogate image)",  # ComfyUI ranks what people type by titles before aliases
            category="PEZ",
            description="Image to prompt: finds a short prompt of real words that matches the picture. Connect it to CLIP Text "
            "Encode.",
            search_aliases=[
                *("pez", "hard prompts", "hard prompts made easy", "textual inversion", "inversion"),
                *("image to prompt", "prompt from image", "picture to prompt", "image2prompt", "img2prompt"),
                *("reverse prompt", "interrogate", "interrogator", "clip interrogator", "describe image", "caption"),
            ],
            inputs=[
                model_input(),
                picture_input(
                    "One picture, a batch, or a target: from PEZ Image Target, PEZ Text Target or PEZ Blend Targets."
                ),
                io.Combo.Input(
                    "pictures",
                    options=[ONE_FOR_ALL, ONE_FOR_EACH],
                    default=ONE_FOR_ALL,
                    tooltip="For several pictures: one prompt for what they have in common, or a list with one prompt per "
                    "picture (the nodes after this one then run once for each).",
                ),
                *search_inputs(),
                *wired_inputs(),
                io.Clip.Input(
                    "clip", optional=True, tooltip="Optional. Prompts this CLIP would tokenize differently are skipped."
                ),
                candidate_input(),
                readability_input(),
                language_input(),
            ],
            outputs=result_outputs(
                "Cosine similarity of prompt and picture according to the model, -1 to 1. Compare it only within one model."
            ),
            hidden=HIDDEN,
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        pez_model: ClipModel,
        image: torch.Tensor | tuple[Source, ...],
        pictures: str,
        clip: Any = None,
        candidate: int = 1,
        words: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        language_model: LanguageModel | None = None,
        **own: Any,
    ) -> io.NodeOutput:
        config = config_of(words=words, settings=settings, **own)
        sources = sources_of(image)
        wanted = one_for_each(sources) if pictures == ONE_FOR_EACH else [sources]
        return search(cls, pez_model, wanted, config, candidate, clip, language_model)


def sources_of(image: torch.Tensor | tuple[Source, ...]) -> tuple[Source, ...]:
    """What the input `image` brings: the sources of a target, or those of a batch."""
    if isinstance(image, tuple):
        return image
    if image is None or not len(image):
        raise PezError("No picture was given: the image input is empty.")
    return (PictureSource.of(image),)
