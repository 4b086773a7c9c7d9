"""PEZ Sample Picture."""

from __future__ import annotations

import numpy as np
import torch
from comfy_api.latest import io, ui
from PIL import Image

from ..pez_core import PezError
from ..pez_core.errors import shorten
from ..pez_core.models.presets import EMBEDDED_FOLDER
from .node import PezNode

SAMPLES = EMBEDDED_FOLDER / "samples"


class PEZSamplePicture(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZSamplePicture",
            display_name="PEZ Sample Picture",
            category="PEZ",
            description="A sample picture of the kind that the embedded model understands, for trying the other nodes.",
            search_aliases=["example", "test picture", "emoji"],
            inputs=[
                io.Combo.Input(
                    "picture",
                    options=sorted(file.stem for file in SAMPLES.glob("*.png")),
                    default="penguin",
                    tooltip="These are included in the pack; nothing is downloaded.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "image", display_name="image", tooltip="Connect to PEZ Invert, with the embedded model."
                )
            ],
            has_intermediate_output=True,  # the preview
        )

    @classmethod
    def execute(cls, picture: str) -> io.NodeOutput:
        files = {file.stem: file for file in SAMPLES.glob("*.png")}
        if picture not in files:  # a connected text, which ComfyUI does not check
            raise PezError(
                f"There is no sample picture {shorten(repr(picture))}: choose one of {', '.join(sorted(files))}."
            )
        with Image.open(files[picture]) as image:
            pixels = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
        image = torch.from_numpy(pixels)[None]
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))
