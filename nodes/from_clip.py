"""PEZ Model From CLIP."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from .wires import PezModel


class PEZModelFromCLIP(io.ComfyNode):
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
            outputs=[
                PezModel.Output(
                    "pez_model", display_name="pez_model", tooltip="Connect to PEZ Invert, PEZ Distill or PEZ Score."
                )
            ],
        )

    @classmethod
    def execute(cls, clip: Any, clip_vision: Any) -> io.NodeOutput:
        from .native import model_from_clip  # imported late: open_clip would slow down every start of ComfyUI

        with torch.inference_mode(False):
            return io.NodeOutput(model_from_clip(clip, clip_vision))
