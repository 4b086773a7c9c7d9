"""PEZ Weighted Prompt."""

from __future__ import annotations

from comfy_api.latest import io

from ..pez_core.text.weighting import LEAST, MOST, weighted_for_comfyui
from .node import PezNode
from .wires import NodeResult, PezResult


class PEZWeightedPrompt(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZWeightedPrompt",
            display_name="PEZ Weighted Prompt",
            category="PEZ",
            description="Writes a found prompt in the weighted form, (word:1.2): words that contribute more to the match are stronger. For "
            "generators that read through CLIP.",
            search_aliases=["prompt weights", "emphasis", "attention weights"],
            inputs=[
                PezResult.Input("result", tooltip="From PEZ Invert, PEZ Distill or PEZ Positive and Negative."),
                io.Float.Input(
                    "least",
                    default=LEAST,
                    min=0.5,
                    max=1.0,
                    step=0.05,
                    round=0.01,
                    tooltip="Weight of the word that contributes least. 1 weakens none.",
                ),
                io.Float.Input(
                    "most",
                    default=MOST,
                    min=1.0,
                    max=2.0,
                    step=0.05,
                    round=0.01,
                    tooltip="Weight of the word that contributes most. 1 strengthens none. Above about 1.3 pictures begin to distort.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "prompt",
                    display_name="prompt",
                    tooltip="For CLIP Text Encode. Its own parentheses are escaped.",
                )
            ],
        )

    @classmethod
    def execute(cls, result: NodeResult, least: float, most: float) -> io.NodeOutput:
        shares = [(each.start, each.end, each.contribution) for each in result.result.tokens]
        return io.NodeOutput(weighted_for_comfyui(result.result.prompt, shares, least, most))
