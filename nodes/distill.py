"""PEZ Distill."""

from __future__ import annotations

from dataclasses import replace

import torch
from comfy_api.latest import io

from ..pez_core import TextSource, read_like_comfyui
from ..pez_core.distillation import distilled_length
from .metadata import record
from .runtime import ManagedModel, Reporter
from .settings import advanced_inputs, candidate_input, config_of, preset_input, seed_input, word_inputs
from .wires import Found, PezModel, found_output, found_outputs


class PEZDistill(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZDistill",
            display_name="PEZ Distill",
            category="PEZ",
            description="Searches a shorter prompt that means the same to the model as a long one.",
            search_aliases=["shorten prompt", "compress prompt", "summarize prompt", "hard prompts made easy"],
            inputs=[
                PezModel.Input("pez_model", tooltip="From PEZ Load Model, PEZ Model From CLIP or PEZ Combine Models."),
                io.String.Input(
                    "text",
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    tooltip="The long prompt. Weights such as (word:1.2) are left out of account; a text of more than 75 "
                    "tokens counts piece by piece.",
                ),
                io.Float.Input(
                    "ratio",
                    default=0.3,
                    min=0.01,
                    max=1.0,
                    step=0.05,
                    round=0.01,
                    tooltip="Tokens of the short prompt for each token of the text. Used where length is 0.",
                ),
                io.Int.Input(
                    "length",
                    default=0,
                    min=0,
                    max=75,
                    tooltip="Tokens of the short prompt. 0: by the ratio.",
                ),
                preset_input(),
                seed_input(),
                *word_inputs(),
                *advanced_inputs(),
                candidate_input(),
            ],
            outputs=found_outputs(
                "How much of the text's meaning the short prompt keeps: the cosine of their features, 1 for all of it."
            ),
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(
        cls, pez_model: ManagedModel, text: str, ratio: float, length: int, candidate: int = 1, **settings
    ) -> io.NodeOutput:
        config = config_of(**settings, **({"length": length} if length else {}))
        source = TextSource(read_like_comfyui(text))
        with torch.inference_mode(False):
            model = pez_model.ready()
            if not length:
                config = replace(config, length=distilled_length(model, source.text, ratio))
            target = pez_model.target([source])
            with Reporter(cls.hidden, 1) as report:
                result = pez_model.picked(pez_model.search(target, config, report), target, candidate)
            found = [Found(result, config, ())]
        record(cls.hidden, "PEZDistill", found)
        return found_output(found)
