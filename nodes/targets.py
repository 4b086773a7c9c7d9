"""Targets for prompts: PEZ Image Target, PEZ Text Target, PEZ Blend Targets."""

from __future__ import annotations

import math
from typing import Any

import torch
from comfy_api.latest import io

from ..pez_core import PictureSource, TextSource, read_like_comfyui
from ..pez_core.targets.sources import Source, blend
from .node import PezNode
from .settings import weights_of
from .wires import PezTarget

WEIGHT = 100.0  # largest
MOST = 50  # targets of a blend


def _weight_input() -> io.Float.Input:
    return io.Float.Input(
        "weight",
        default=1.0,
        min=-WEIGHT,
        max=WEIGHT,
        step=0.05,
        round=0.001,
        tooltip="How much this counts in a blend. Negative values push away from it: for negative prompts.",
    )


def _target_output() -> io.Output:
    return PezTarget.Output(
        "target", display_name="target", tooltip="Connect to PEZ Invert, PEZ Score or PEZ Blend Targets."
    )


class PEZImageTarget(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZImageTarget",
            display_name="PEZ Image Target",
            category="PEZ/targets",
            description="Pictures to match: a batch, or a list of pictures of any sizes. With a mask, only the masked area counts.",
            search_aliases=["style from images", "masked picture"],
            is_input_list=True,
            inputs=[
                io.Image.Input("image", tooltip="One picture, a batch or a list. They share the weight."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="White counts, black is ignored. One mask for all pictures, or one for each.",
                ),
                _weight_input(),
                io.Boolean.Input(
                    "crops",
                    default=False,
                    tooltip="Also match the corners of each picture: makes the result less sensitive to framing.",
                ),
                io.Boolean.Input(
                    "flips",
                    default=False,
                    tooltip="Also match the mirror image: makes the result less sensitive to orientation.",
                ),
            ],
            outputs=[_target_output()],
        )

    @classmethod
    def execute(
        cls,
        image: list[torch.Tensor],
        weight: list[float],
        crops: list[bool],
        flips: list[bool],
        mask: list[torch.Tensor] | None = None,
    ) -> io.NodeOutput:
        masks = (
            [
                each.numpy()
                for one in mask
                for each in one.cpu().float().reshape(math.prod(one.shape[:-2]), *one.shape[-2:])
            ]
            if mask
            else None
        )
        source = PictureSource.of(image, masks, weight=weight[0], crops=crops[0], flips=flips[0])
        return io.NodeOutput((source,))


class PEZTextTarget(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZTextTarget",
            display_name="PEZ Text Target",
            category="PEZ/targets",
            description="A text to match, such as a long prompt, or a concept to avoid.",
            search_aliases=["concept", "negative"],
            inputs=[
                io.String.Input(
                    "text",
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    tooltip="Any text. Weights such as (word:1.2) are ignored.",
                ),
                _weight_input(),
            ],
            outputs=[_target_output()],
        )

    @classmethod
    def execute(cls, text: str, weight: float) -> io.NodeOutput:
        return io.NodeOutput((TextSource(read_like_comfyui(text), weight),))


class PEZBlendTargets(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZBlendTargets",
            display_name="PEZ Blend Targets",
            category="PEZ/targets",
            description="Joins targets: what one prompt should match all at once, and what it should avoid.",
            search_aliases=["mix", "join concepts", "style transfer"],
            inputs=[
                io.Autogrow.Input(
                    "targets",
                    template=io.Autogrow.TemplateNames(
                        PezTarget.Input("target", tooltip="Connect a target; another input then appears."),
                        names=[f"target{number}" for number in range(1, MOST + 1)],
                        min=2,
                    ),
                ),
                io.String.Input(
                    "weights",
                    default="",
                    dynamic_prompts=False,
                    tooltip="A factor for each target, in order, separated by commas. Example: 1, 0.5, -1. Empty: keep each target's own weight.",
                ),
            ],
            outputs=[_target_output()],
        )

    @classmethod
    def execute(cls, targets: dict[str, Any], weights: str) -> io.NodeOutput:
        groups: list[tuple[Source, ...]] = list(targets.values())
        return io.NodeOutput(blend(groups, weights_of(weights, len(groups))))
