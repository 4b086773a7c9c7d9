"""PEZ Positive and Negative."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io

from ..pez_core import ClipModel, InversionConfig
from ..pez_core.objectives.fluency import LanguageModel
from ..pez_core.targets.sources import Source, blend
from .invert import sources_of
from .node import PezNode
from .searching import HIDDEN, found_by, shown
from .settings import candidate_input, config_of, readability_input, search_inputs, wired_inputs
from .wires import PezResult, PezTarget, language_input, model_input, picture_input


class PEZPositiveAndNegative(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZPositiveAndNegative",
            display_name="PEZ Positive and Negative",
            category="PEZ",
            description="Finds two prompts in one run: one that matches the picture, and one to keep away from, for the negative CLIP Text "
            "Encode.",
            search_aliases=["negative prompt", "both prompts"],
            inputs=[
                model_input(),
                picture_input("What the positive prompt matches and the negative one is unlike: pictures or a target."),
                *search_inputs(),
                *wired_inputs(),
                candidate_input(),
                readability_input(),
                language_input(),
                io.MultiType.Input(
                    "negative_image",
                    types=[io.Image, PezTarget],
                    optional=True,
                    tooltip="Pictures of what you do not want, or a target. The negative prompt is what they have and the picture has not. "
                    "Without them it is what the picture is least like. Optional.",
                ),
            ],
            outputs=[
                io.String.Output("positive", display_name="positive", tooltip="For the positive CLIP Text Encode."),
                io.String.Output("negative", display_name="negative", tooltip="For the negative CLIP Text Encode."),
                PezResult.Output(
                    "result",
                    display_name="result",
                    is_output_list=True,
                    tooltip="Both results, the positive one first. Connect to PEZ Weighted Prompt, PEZ Plot or PEZ Save Prompts.",
                ),
            ],
            hidden=HIDDEN,
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        pez_model: ClipModel,
        image: torch.Tensor | tuple[Source, ...],
        candidate: int = 1,
        words: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        language_model: LanguageModel | None = None,
        negative_image: torch.Tensor | tuple[Source, ...] | None = None,
        **own: Any,
    ) -> io.NodeOutput:
        config = config_of(words=words, settings=settings, **own)
        wanted = sources_of(image)
        given = () if negative_image is None else sources_of(negative_image)
        away = blend([given, wanted], [1.0, -1.0])
        found = found_by(
            cls, pez_model, [(wanted, config), (away, without_words(config))], candidate, language=language_model
        )
        positive, negative = (each.delivered(each.result.prompt) for each in found)
        return io.NodeOutput(positive, negative, found, ui=shown(cls, found))


def without_words(config: InversionConfig) -> InversionConfig:
    """The configuration without the words that only a positive prompt is about: those around it, to keep, to start from."""
    start = "random" if config.start == "words" else config.start
    return replace(config, prefix="", suffix="", keep=(), words="", start=start)
