"""PEZ Plot."""

from __future__ import annotations

import numpy as np
import torch
from comfy_api.latest import io

from ..pez_core.plot.run import plot_run
from .node import PezNode
from .wires import NodeResult, PezResult


class PEZPlot(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZPlot",
            display_name="PEZ Plot",
            category="PEZ",
            description="Draws a search: the pictures, the best similarity after each step (the search's estimate), and how much each word "
            "contributes.",
            search_aliases=["chart", "trace", "token importance"],
            inputs=[PezResult.Input("result", tooltip="From PEZ Invert, PEZ Distill or PEZ Positive and Negative.")],
            outputs=[
                io.Image.Output(
                    "image", display_name="image", tooltip="1200 x 600 pixels. Connect to Preview Image or Save Image."
                )
            ],
        )

    @classmethod
    def execute(cls, result: NodeResult) -> io.NodeOutput:
        drawn = np.asarray(plot_run(result.result, result.pictures), dtype=np.float32) / 255
        return io.NodeOutput(torch.from_numpy(drawn)[None])
