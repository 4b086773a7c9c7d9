"""PEZ Paint."""

from __future__ import annotations

import logging
from functools import lru_cache

import comfy.model_management
import comfy.utils
import numpy as np
import torch
from comfy_api.latest import io, ui

from ..pez_core import PezError, paint, read_like_comfyui
from ..pez_core.models.painter import Painter, load_painter
from ..pez_core.painting import GUIDANCE, MOST_GUIDANCE, MOST_STEPS, STEPS
from .health import require
from .node import PezNode
from .placement import host_painter

log = logging.getLogger(__name__)


class PEZPaint(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZPaint",
            display_name="PEZ Paint",
            category="PEZ",
            description="Paints texts with the small painter that is included in the pack: emoji-like pictures of 64 x 64 pixels, to see "
            "what a prompt says. Nothing is downloaded.",
            search_aliases=["text to image", "generate picture", "draw", "preview prompt", "emoji"],
            is_input_list=True,
            inputs=[
                io.String.Input(
                    "texts",
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    tooltip="One text per line, or connect a prompt or a list. English words that the embedded model knows.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    control_after_generate=True,
                    tooltip="Same seed and text, same picture.",
                ),
                io.Int.Input(
                    "steps",
                    default=STEPS,
                    min=1,
                    max=MOST_STEPS,
                    optional=True,
                    advanced=True,
                    tooltip="More steps are finer and take longer.",
                ),
                io.Float.Input(
                    "guidance",
                    default=GUIDANCE,
                    min=0.0,
                    max=MOST_GUIDANCE,
                    step=0.5,
                    round=0.001,
                    optional=True,
                    advanced=True,
                    tooltip="How strictly the picture follows its text. 1: as in training. More: clearer, less varied.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "image", display_name="image", tooltip="A batch with one picture per text, 64 x 64 pixels."
                )
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,  # it shows what it paints
        )

    @classmethod
    def execute(
        cls,
        texts: list[str],
        seed: list[int],
        steps: list[int] | None = None,
        guidance: list[float] | None = None,
    ) -> io.NodeOutput:
        lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
        if not lines:
            raise PezError("There is no text to paint: write at least one, each on its own line.")
        require()
        read = [read_like_comfyui(line) for line in lines]
        bar = None

        def show(step: int, whole: int) -> None:
            nonlocal bar
            comfy.model_management.throw_exception_if_processing_interrupted()
            bar = bar or comfy.utils.ProgressBar(whole, node_id=cls.hidden.unique_id)
            bar.update_absolute(step)

        painter = _painter()
        unknown = {word: None for text in read for word in painter.model.vocabulary.unknown_words(text)}
        if unknown:
            log.warning("The painter does not know %s and ignores the meaning.", ", ".join(map(repr, unknown)))
        given = {"steps": (steps or [STEPS])[0], "guidance": (guidance or [GUIDANCE])[0]}
        pictures = paint(read, seed[0], **given, on_step=show, painter=painter)
        pixels = np.stack([np.asarray(picture, dtype=np.float32) / 255 for picture in pictures])
        image = torch.from_numpy(pixels)
        return io.NodeOutput(image, ui=ui.PreviewImage(image, cls=cls))


@lru_cache(maxsize=1)
def _painter() -> Painter:
    """The embedded painter, loaded once, where ComfyUI wants it."""
    with torch.inference_mode(False):
        return host_painter(load_painter())
