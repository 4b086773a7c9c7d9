"""PEZ Model From CLIP."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from .node import PezNode
from .wires import model_output


class PEZModelFromCLIP(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZModelFromCLIP",
            display_name="PEZ Model From CLIP",
            category="PEZ",
            description="Uses the CLIP and a CLIP vision model that the workflow already loads, so nothing else is downloaded.",
            search_aliases=["sdxl", "clip_g", "clip vision", "native"],
            inputs=[
                io.Clip.Input(
                    "clip",
                    tooltip="The CLIP of SDXL, the SDXL refiner, SD 3 or Stable Cascade (clip_g), of SD 2 (CLIP-H), or a CLIP-L from a "
                    "file that has its text projection.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    tooltip="The vision model that was trained together with the CLIP: clip_vision_g for clip_g, ViT-H laion2B for "
                    "CLIP-H, clip-vit-large-patch14 for CLIP-L.",
                ),
            ],
            outputs=[model_output()],
        )

    @classmethod
    def execute(cls, clip: Any, clip_vision: Any) -> io.NodeOutput:
        from .native import model_from_clip  # imported late: open_clip would slow down every start of ComfyUI

        with torch.inference_mode(False):
            return io.NodeOutput(model_from_clip(clip, clip_vision))
