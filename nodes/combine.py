"""PEZ Combine Models."""

from __future__ import annotations

from comfy_api.latest import io

from ..pez_core import ClipModel, combine
from .node import PezNode
from .settings import weights_of
from .wires import PezModel, model_output

MOST = 4  # models


class PEZCombineModels(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZCombineModels",
            display_name="PEZ Combine Models",
            category="PEZ",
            description="Joins models that share a tokenizer, so that one prompt is searched for all of them. For SDXL and SD 3, "
            "which use CLIP-L and CLIP-bigG.",
            search_aliases=["sdxl", "sd3", "two text encoders", "ensemble"],
            inputs=[
                io.Autogrow.Input(
                    "models",
                    template=io.Autogrow.TemplateNames(
                        PezModel.Input("pez_model", tooltip="Connect a model; another input then appears."),
                        names=[f"pez_model{number}" for number in range(1, MOST + 1)],
                        min=2,
                    ),
                ),
                io.String.Input(
                    "weights",
                    default="",
                    dynamic_prompts=False,
                    tooltip="How much each model counts, in order, separated by commas. Example: 1, 2. Empty: all the same.",
                ),
            ],
            outputs=[model_output()],
        )

    @classmethod
    def execute(cls, models: dict[str, ClipModel], weights: str) -> io.NodeOutput:
        loaded = list(models.values())
        return io.NodeOutput(combine(loaded, weights_of(weights, len(loaded))))
