"""PEZ Choose by Generator."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import comfy.model_management
import comfy.utils
import torch
from comfy_api.latest import io

from ..pez_core import ClipModel, PezError, PictureSource, choose, make_target
from ..pez_core.choosing import LEAST_NOISES, MOST_NOISES, NOISES, Chosen, choose_painted
from ..pez_core.choosing import table as table_of
from ..pez_core.errors import shorten
from ..pez_core.targets.pictures import as_rgb
from .generator import ComfyGenerator
from .node import PezNode
from .wires import NodeResult, PezModel, PezResult

MEGAPIXELS = 0.5
STEPS, CFG = 8, 4.0  # of a painting
PAINTINGS = 4  # of each prompt that is painted


class PEZChooseByGenerator(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZChooseByGenerator",
            display_name="PEZ Choose by Generator",
            category="PEZ",
            description="Lets your image generator choose among prompts: the one that helps it most to remove noise from the picture. "
            "Nothing is searched, and nothing painted unless you ask for it.",
            search_aliases=["rank prompts", "denoising loss", "best prompt", "compare prompts", "judge"],
            is_input_list=True,
            inputs=[
                io.Model.Input("model", tooltip="The generator that will read the prompt."),
                io.Clip.Input("clip", tooltip="The generator's text encoder, of any kind."),
                io.Vae.Input("vae", tooltip="The generator's VAE."),
                io.Image.Input(
                    "image", tooltip="The picture that the prompts describe. For several, their mean counts."
                ),
                io.String.Input(
                    "texts",
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    optional=True,
                    tooltip="One prompt per line, or connect candidates of PEZ Invert. The first is what the best is compared with.",
                ),
                PezResult.Input(
                    "result",
                    optional=True,
                    tooltip="From PEZ Invert or PEZ Distill: its candidates come before the texts. Optional.",
                ),
                io.Int.Input(
                    "noises",
                    default=NOISES,
                    min=LEAST_NOISES,
                    max=MOST_NOISES,
                    optional=True,
                    tooltip="How often each prompt is measured, each time with another noise. More tell smaller differences apart and "
                    "take longer.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**64 - 1,
                    control_after_generate=io.ControlAfterGenerate.fixed,
                    optional=True,
                    tooltip="Of the noises. The same seed gives the same order.",
                ),
                io.Float.Input(
                    "megapixels",
                    default=MEGAPIXELS,
                    min=0.01,
                    max=16.0,
                    step=0.05,
                    round=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Larger pictures are scaled down to this. Smaller is faster and needs less memory.",
                ),
                PezModel.Input(
                    "judge",
                    optional=True,
                    tooltip="For painted: compares the paintings with the picture. Best is one that did not search. Optional.",
                ),
                io.Int.Input(
                    "painted",
                    default=0,
                    min=0,
                    max=64,
                    optional=True,
                    advanced=True,
                    tooltip="This many of the best are painted, and the one whose paintings are most like the picture is chosen. 0: none.",
                ),
                io.Int.Input(
                    "steps",
                    default=STEPS,
                    min=1,
                    max=1000,
                    optional=True,
                    advanced=True,
                    tooltip="Of each painting. Few will do: paintings are compared, not kept.",
                ),
                io.Float.Input(
                    "cfg",
                    default=CFG,
                    min=0.0,
                    max=100.0,
                    step=0.5,
                    round=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Guidance of the paintings. 1 for distilled generators (Turbo, Lightning, Flux).",
                ),
            ],
            outputs=[
                io.String.Output("prompt", display_name="prompt", tooltip="The best prompt, for CLIP Text Encode."),
                io.String.Output(
                    "candidates",
                    display_name="candidates",
                    is_output_list=True,
                    tooltip="All prompts in the generator's order, best first.",
                ),
                io.Float.Output(
                    "gain",
                    display_name="gain",
                    is_output_list=True,
                    tooltip="For each candidate, the share of the denoising error that it takes away, in percent. Below 0 it hurts.",
                ),
                io.String.Output(
                    "table",
                    display_name="table",
                    tooltip="The prompts with their gains and errors, and what is resolved.",
                ),
                io.String.Output("json", display_name="json", tooltip="All numbers, as JSON."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        model: list[Any],
        clip: list[Any],
        vae: list[Any],
        image: list[torch.Tensor],
        texts: list[str] | None = None,
        result: list[NodeResult] | None = None,
        noises: list[int] | None = None,
        seed: list[int] | None = None,
        megapixels: list[float] | None = None,
        judge: list[ClipModel] | None = None,
        painted: list[int] | None = None,
        steps: list[int] | None = None,
        cfg: list[float] | None = None,
    ) -> io.NodeOutput:
        prompts = candidates_of(result or [], texts or [])
        if not prompts:
            raise PezError(
                "There is no prompt to choose: connect candidates of PEZ Invert, or write one prompt per line."
            )
        if painted and painted[0] and not judge:
            raise PezError(
                "painted needs a model that compares the paintings with the picture: connect one to judge, or set 0."
            )
        pictures = pictures_of(image)
        generator = ComfyGenerator(model[0], clip[0], vae[0], (megapixels or [MEGAPIXELS])[0])
        bar: comfy.utils.ProgressBar | None = None

        def show(done: int, whole: int) -> None:
            nonlocal bar
            bar = bar or comfy.utils.ProgressBar(whole, node_id=cls.hidden.unique_id)
            bar.update_absolute(done)

        choice = choose(generator, prompts, pictures, (noises or [NOISES])[0], (seed or [0])[0], show)
        ranked, table, told = choice.ranked, choice.table(), choice.to_json()
        if painted and painted[0] and judge:
            settings = ((seed or [0])[0], (steps or [STEPS])[0], (cfg or [CFG])[0])
            repainted = _painted(
                generator, judge[0], pictures, [each.prompt for each in ranked[: painted[0]]], *settings
            )
            order = [each.prompt for each in repainted]
            ranked = sorted(ranked, key=lambda each: order.index(each.prompt) if each.prompt in order else len(order))
            table += "\n\nThe best of these, painted\n" + table_of(repainted, "similarity", _number)
            told |= {"best": order[0], "painted": [asdict(each) for each in repainted]}
        return io.NodeOutput(
            ranked[0].prompt,
            [each.prompt for each in ranked],
            [100 * each.gain for each in ranked],
            table,
            json.dumps(told, ensure_ascii=False, indent=1),
        )


def _painted(
    generator: ComfyGenerator,
    judge: ClipModel,
    pictures: list[torch.Tensor],
    prompts: list[str],
    seed: int,
    steps: int,
    cfg: float,
) -> tuple[Chosen, ...]:
    """The prompts by their paintings; `given` counts the order that the generator's losses gave."""
    seeds = [(seed + i) % 2**64 for i in range(PAINTINGS)]
    paintings = [as_rgb(generator.paint(prompt, pictures[0], seeds, steps, cfg)) for prompt in prompts]
    return choose_painted(judge, make_target(judge, PictureSource.of(pictures)), prompts, paintings)


def _number(value: float, sign: str) -> str:
    return f"{value:{sign}.4f}"


def pictures_of(batches: list[torch.Tensor | None]) -> list[torch.Tensor]:
    """The pictures of all batches, each [1, H, W, C]. Raises PezError for none, and for what is no picture."""
    pictures = [each[None] for batch in batches if batch is not None for each in batch]
    if not pictures:
        raise PezError("No picture was given: the image input is empty.")
    for each in pictures:
        if each.ndim != 4 or each.shape[-1] not in (1, 3, 4):
            raise PezError(
                f"A tensor of the shape {list(each.shape[1:])} is not a picture: expected [height, width, channels] with 1, 3 or 4 "
                "channels."
            )
    if not all(each.isfinite().all() for each in pictures):
        raise PezError("The picture contains NaN or infinite values: check the node or program that made it.")
    return pictures


def candidates_of(results: list[NodeResult], texts: list[str]) -> list[str]:
    """The candidates of searches, each search's best first, then one text per line.

    Raises PezError for what is no text: a faulty node may send anything.
    """
    for text in texts:
        if not isinstance(text, str):
            raise PezError(f"texts must be texts, not {shorten(repr(text))}: check the node that is connected to it.")
    found = [each.delivered(candidate.text) for each in results for candidate in each.result.candidates]
    return [*found, *(line.strip() for text in texts for line in text.splitlines() if line.strip())]
