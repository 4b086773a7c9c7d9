"""PEZ Combine Models."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .runtime import ManagedModel
from .settings import weights_of
from .wires import PezModel


class PEZCombineModels(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZCombineModels",
            display_name="PEZ Combine Models",
            category="PEZ",
            description="One model of several that share a tokenizer: a prompt is searched for all of them at once. For SDXL "
            "and SD 3, which read with CLIP-L and CLIP-bigG.",
            search_aliases=["sdxl", "sd3", "two text encoders", "ensemble"],
            inputs=[
                io.Autogrow.Input(
                    "models",
                    template=io.Autogrow.TemplatePrefix(
                        input=PezModel.Input("pez_model", tooltip="Another one appears when this is connected."),
                        prefix="pez_model",
                        min=2,
                        max=4,
                    ),
                ),
                io.String.Input(
                    "weights",
                    default="",
                    dynamic_prompts=False,
                    tooltip="What each model counts for, in turn, separated by commas: 1, 2. Empty: all the same.",
                ),
            ],
            outputs=[PezModel.Output("pez_model", display_name="pez_model", tooltip="For PEZ Invert and the others.")],
        )

    @classmethod
    def execute(cls, models: dict[str, Any], weights: str) -> io.NodeOutput:
        loaded = list(models.values())
        return io.NodeOutput(ManagedModel.combined(loaded, weights_of(weights, len(loaded))))
