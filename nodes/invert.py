"""PEZ Invert."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..pez_core import PezError
from ..pez_core.targets.sources import PictureSource, Source, one_for_each
from .metadata import record
from .runtime import ManagedModel, Reporter
from .settings import advanced_inputs, candidate_input, config_of, length_input, preset_input, seed_input, word_inputs
from .wired_clip import WiredClip
from .wires import Found, PezModel, PezTarget, found_output, found_outputs

ONE_FOR_ALL = "one prompt for all"
ONE_FOR_EACH = "one prompt for each"
MISSING = object()


class PEZInvert(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZInvert",
            display_name="PEZ Invert",
            category="PEZ",
            description="Searches a short prompt of real words that matches the picture. Connect the prompt to CLIP Text Encode.",
            search_aliases=["hard prompts made easy", "image to prompt", "interrogate", "inversion", "describe image"],
            inputs=[
                PezModel.Input("pez_model", tooltip="From PEZ Load Model, PEZ Model From CLIP or PEZ Combine Models."),
                io.Image.Input("image", optional=True, tooltip="One picture or a batch. Or connect a target instead."),
                PezTarget.Input(
                    "target",
                    optional=True,
                    tooltip="Instead of an image: from PEZ Image Target, PEZ Text Target or PEZ Blend Targets.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="The CLIP that will read the prompt: only prompts that it splits into the very tokens that were "
                    "scored are delivered.",
                ),
                io.Combo.Input(
                    "pictures",
                    options=[ONE_FOR_ALL, ONE_FOR_EACH],
                    default=ONE_FOR_ALL,
                    tooltip="What to do with a batch: find what its pictures have in common, or a prompt for each picture "
                    "(a list, so that what follows runs once for each).",
                ),
                preset_input(),
                length_input(),
                seed_input(),
                *word_inputs(),
                *advanced_inputs(),
                candidate_input(),
            ],
            outputs=found_outputs(
                "Cosine similarity of prompt and picture in the model's eyes, -1 to 1. Compare it only within one model."
            ),
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, pez_model: object = None, image: object = MISSING, target: object = MISSING) -> bool | str:
        """What comes over a wire is None here, what is not connected is left out. ComfyUI shows what is wrong at the
        inputs named here, so the model, which is always there, is among them."""
        return _one_of(image is not MISSING, target is not MISSING) or True

    @classmethod
    def execute(
        cls,
        pez_model: ManagedModel,
        pictures: str,
        image: torch.Tensor | None = None,
        target: tuple[Source, ...] | None = None,
        clip: object | None = None,
        candidate: int = 1,
        **settings,
    ) -> io.NodeOutput:
        config = config_of(**settings)
        wired = WiredClip(clip) if clip is not None else None
        with torch.inference_mode(False):
            sources = _sources(image, target)
            wanted = one_for_each(sources) if pictures == ONE_FOR_EACH else [sources]
            targets = [pez_model.target(each) for each in wanted]
            found = []
            with Reporter(cls.hidden, len(targets)) as report:
                for aim, parts in zip(targets, wanted, strict=True):
                    result = pez_model.search(aim, config, report)
                    if wired:
                        result = wired.readable(result, pez_model.ready(), aim)
                    result = pez_model.picked(result, aim, candidate)
                    shown = [each for part in parts if isinstance(part, PictureSource) for each in part.pictures]
                    found.append(Found(result, config, tuple(shown)))
                    report.next_part()
        record(cls.hidden, "PEZInvert", found)
        return found_output(found)


def _one_of(image: bool, target: bool) -> str:
    """What is wrong with the inputs that are connected; '' for nothing."""
    if image and target:
        return "Both an image and a target are connected: take one off, or join them with PEZ Blend Targets."
    return "" if image or target else "Nothing to match is connected: connect an image, or a target."


def _sources(image: torch.Tensor | None, target: tuple[Source, ...] | None) -> tuple[Source, ...]:
    wrong = _one_of(image is not None, target is not None)
    if wrong:  # a wire may come from a node that was left out
        raise PezError(wrong)
    if target is not None:
        return target
    if not len(image):
        raise PezError("No picture was given: the image input is an empty batch.")
    return (PictureSource.of(image),)
