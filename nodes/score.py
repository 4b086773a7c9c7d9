"""PEZ Score."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..pez_core import ClipModel, PezError, PictureSource, Score, make_target, read_like_comfyui, score
from ..pez_core.targets.sources import Source
from .node import PezNode
from .wires import PezModel, picture_input


class PEZScore(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZScore",
            display_name="PEZ Score",
            category="PEZ",
            description="Scores how well texts match pictures: to compare prompts, and to see whether they transfer to another model.",
            search_aliases=["clip score", "similarity", "rank prompts"],
            is_input_list=True,
            inputs=[
                PezModel.Input("pez_model", tooltip="The model that scores the texts."),
                io.String.Input(
                    "texts",
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    tooltip="One text per line, or connect a list of texts.",
                ),
                picture_input(
                    "Pictures to match, a batch or a list, or a target: from PEZ Image Target, PEZ Text Target or PEZ Blend "
                    "Targets."
                ),
            ],
            outputs=[
                io.Float.Output(
                    "similarity",
                    display_name="similarity",
                    is_output_list=True,
                    tooltip="One number per text, in order: its mean cosine similarity to the pictures.",
                ),
                io.String.Output(
                    "table", display_name="table", tooltip="All texts with their similarities, best first."
                ),
                io.String.Output("best", display_name="best", tooltip="The text that matches best."),
            ],
        )

    @classmethod
    def execute(
        cls, pez_model: list[ClipModel], texts: list[str], image: list[torch.Tensor | tuple[Source, ...]]
    ) -> io.NodeOutput:
        lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
        if not lines:
            raise PezError("There is no text to score: write at least one, each on its own line.")
        (model, *_) = pez_model
        scored = score(model, [read_like_comfyui(line) for line in lines], make_target(model, _sources(image)))
        best = max(range(len(lines)), key=lambda i: scored[i].similarity)
        return io.NodeOutput([each.similarity for each in scored], _table(scored), lines[best])


def _sources(given: list[torch.Tensor | tuple[Source, ...]]) -> list[Source]:
    """The sources of the targets in a list; the pictures in it, of any sizes, share a source."""
    pictures = [each for each in given if not isinstance(each, tuple)]
    sources = [source for each in given if isinstance(each, tuple) for source in each]
    return [*sources, *([PictureSource.of(pictures)] if pictures else [])]


def _table(scored: list[Score]) -> str:
    """A table of the texts, best first; a combined model has a column for each of its parts."""
    rows = [["similarity", *scored[0].parts, "text"]]
    for each in sorted(scored, key=lambda each: -each.similarity):
        rows.append([f"{each.similarity:.4f}", *(f"{seen:.4f}" for seen in each.parts.values()), each.text])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
