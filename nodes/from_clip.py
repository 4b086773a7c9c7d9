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
            description="Uses a CLIP and a CLIP vision model that the workflow loads anyway: nothing else is downloaded.",
            search_aliases=["sdxl", "clip_g", "clip vision", "native"],
            inputs=[
                io.Clip.Input(
                    "clip",
                    tooltip="Of SDXL, the SDXL refiner, SD 3 or Stable Cascade (clip_g), of SD 2 (CLIP-H), or a CLIP-L loaded from "
                    "a file that has its projection.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    tooltip="The vision model that was trained with it: clip_vision_g for clip_g, ViT-H laion2B for CLIP-H, "
                    "clip-vit-large-patch14 for CLIP-L.",
                ),
            ],
            outputs=[PezModel.Output("pez_model", display_name="pez_model", tooltip="For PEZ Invert and the others.")],
        )

    @classmethod
    def execute(cls, clip: Any, clip_vision: Any) -> io.NodeOutput:
        from .native import model_from_clip  # here: it imports open_clip, which every start of ComfyUI would wait for

        with torch.inference_mode(False):
            return io.NodeOutput(model_from_clip(clip, clip_vision))
