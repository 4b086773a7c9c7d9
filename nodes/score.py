"""PEZ Score."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..pez_core import PezError, PictureSource, Score, read_like_comfyui, score
from ..pez_core.targets.sources import Source
from .runtime import ManagedModel
from .wires import PezModel, PezTarget


class PEZScore(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZScore",
            display_name="PEZ Score",
            category="PEZ",
            description="How well texts match pictures in a model's eyes: to compare prompts, and to see what carries over to another model.",
            search_aliases=["clip score", "similarity", "rank prompts"],
            is_input_list=True,
            inputs=[
                PezModel.Input("pez_model", tooltip="In whose eyes."),
                io.String.Input(
                    "texts",
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    tooltip="A text in each line, or a list of texts over a wire.",
                ),
                io.Image.Input(
                    "image", optional=True, tooltip="Pictures: a batch or a list. Or connect a target instead."
                ),
                PezTarget.Input("target", optional=True, tooltip="Instead of an image."),
            ],
            outputs=[
                io.Float.Output(
                    "similarity",
                    display_name="similarity",
                    is_output_list=True,
                    tooltip="Of each text, in their order: the mean of its cosines with the pictures.",
                ),
                io.String.Output("table", display_name="table", tooltip="Every text with its similarity, best first."),
                io.String.Output("best", display_name="best", tooltip="The text that matches best."),
            ],
        )

    @classmethod
    def execute(
        cls,
        pez_model: list[ManagedModel],
        texts: list[str],
        image: list[torch.Tensor] | None = None,
        target: list[tuple[Source, ...]] | None = None,
    ) -> io.NodeOutput:
        lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
        if not lines:
            raise PezError("There is no text to score: write some, one in each line.")
        if bool(image) == bool(target):
            raise PezError("PEZ Score needs an image or a target, and not both.")
        with torch.inference_mode(False):
            sources = [source for group in target for source in group] if target else [PictureSource.of(image)]
            aim = pez_model[0].target(sources)
            scored = score(pez_model[0].ready(), [read_like_comfyui(line) for line in lines], aim)
        best = max(range(len(lines)), key=lambda i: scored[i].similarity)
        return io.NodeOutput([each.similarity for each in scored], _table(scored), lines[best])


def _table(scored: list[Score]) -> str:
    """Texts in lines, best first; where there are several models, a column for each."""
    rows = [["similarity", *scored[0].parts, "text"]]
    for each in sorted(scored, key=lambda each: -each.similarity):
        rows.append([f"{each.similarity:.4f}", *(f"{seen:.4f}" for seen in each.parts.values()), each.text])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
