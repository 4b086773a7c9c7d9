"""PEZ Invert."""

from __future__ import annotations

import re
from dataclasses import asdict

import torch
from comfy_api.latest import io

from ..pez_core import InversionConfig, PezError, escape_for_comfyui, invert
from ..pez_core.config import MAX_SEED, METHODS, PRECISIONS, SEARCH_PRESETS, VOCABULARY_MODES
from .load import PezModel
from .runtime import ManagedModel, Reporter

ONE_FOR_ALL = "one prompt for all"
AS_PRESET = "as the preset"
ONE_FOR_EACH = "one prompt for each"
_DEFAULT = InversionConfig()


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
                PezModel.Input("pez_model", tooltip="From PEZ Load Model."),
                io.Image.Input("image", tooltip="One picture or a batch."),
                io.Combo.Input(
                    "pictures",
                    options=[ONE_FOR_ALL, ONE_FOR_EACH],
                    default=ONE_FOR_ALL,
                    tooltip="What to do with a batch: find what its pictures have in common, or a prompt for each picture "
                    "(a list, so that what follows runs once for each).",
                ),
                io.Combo.Input(
                    "preset",
                    options=list(SEARCH_PRESETS),
                    default="balanced",
                    tooltip="How much is searched. fast: a sixth of balanced; thorough: four times as much. paper: the published "
                    "method and its 3000 steps, slow.",
                ),
                io.Int.Input(
                    "length",
                    default=_DEFAULT.length,
                    min=1,
                    max=75,
                    tooltip="Searched tokens; most words are one token. 8 to 16 suit most generators. Together with prefix and "
                    "suffix at most 75.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=MAX_SEED,
                    control_after_generate=True,
                    tooltip="The same seed gives the same prompt. Another seed, another prompt.",
                ),
                io.String.Input(
                    "prefix",
                    default="",
                    optional=True,
                    dynamic_prompts=False,
                    tooltip="Fixed text before the searched words, part of the prompt and of its score: a photo of",
                ),
                io.String.Input(
                    "suffix",
                    default="",
                    optional=True,
                    dynamic_prompts=False,
                    tooltip="Fixed text after the searched words, part of the prompt and of its score: oil painting",
                ),
                io.String.Input(
                    "banned_words",
                    default="",
                    multiline=True,
                    optional=True,
                    dynamic_prompts=False,
                    placeholder="banned words, separated by commas",
                    tooltip="Words that must not appear, not even spelled from several tokens; separated by commas or lines. "
                    "hair* bans everything that begins with hair.",
                ),
                io.String.Input(
                    "start_words",
                    default="",
                    optional=True,
                    dynamic_prompts=False,
                    tooltip="Words of your own to start from instead of random ones: a caption, an older prompt. They are "
                    "changed where that fits the picture better.",
                ),
                io.Int.Input(
                    "steps",
                    default=0,
                    min=0,
                    max=100_000,
                    optional=True,
                    advanced=True,
                    tooltip="Most steps of the search. 0: as the preset has it. More steps with the same seed never find less (but for fluentprompt).",
                ),
                io.Int.Input(
                    "restarts",
                    default=0,
                    min=0,
                    max=1024,
                    optional=True,
                    advanced=True,
                    tooltip="Starts searched side by side; the best one wins, the others become candidates. 0: as the preset.",
                ),
                io.Combo.Input(
                    "method",
                    options=[AS_PRESET, *METHODS],
                    default=AS_PRESET,
                    optional=True,
                    advanced=True,
                    tooltip="pez+swaps: PEZ, then swaps of single words that are kept only where they help. pez: the paper's. "
                    "The others are there to compare with.",
                ),
                io.Combo.Input(
                    "vocabulary",
                    options=list(VOCABULARY_MODES),
                    default=_DEFAULT.vocabulary,
                    optional=True,
                    advanced=True,
                    tooltip="words: tokens that are plain words. any: also digits, signs, emoji and other scripts.",
                ),
                io.Float.Input(
                    "learning_rate",
                    default=_DEFAULT.learning_rate,
                    min=0.0001,
                    max=100.0,
                    step=0.01,
                    round=0.0001,
                    optional=True,
                    advanced=True,
                    tooltip="Step size of the optimiser. The paper's is 0.1.",
                ),
                io.Float.Input(
                    "weight_decay",
                    default=_DEFAULT.weight_decay,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    round=0.0001,
                    optional=True,
                    advanced=True,
                    tooltip="Pull of the optimiser towards zero. The paper's is 0.1.",
                ),
                io.Int.Input(
                    "batch_size",
                    default=0,
                    min=0,
                    max=100_000,
                    optional=True,
                    advanced=True,
                    tooltip="Pictures drawn at random for each step's gradient, when there are many. 0: as the "
                    "preset has it, which is all (paper: one). Swaps always take all.",
                ),
                io.Int.Input(
                    "patience",
                    default=0,
                    min=-1,
                    max=100_000,
                    optional=True,
                    advanced=True,
                    tooltip="Stop after so many steps without gain. 0: as the preset has it. -1 never stops early.",
                ),
                io.Float.Input(
                    "time_limit",
                    default=0.0,
                    min=0.0,
                    max=86_400.0,
                    step=1.0,
                    optional=True,
                    advanced=True,
                    tooltip="Stop after so many seconds and keep the best, for each prompt. 0 for no limit. A run cut short "
                    "by time need not repeat exactly.",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default=_DEFAULT.precision,
                    optional=True,
                    advanced=True,
                    tooltip="What the search computes in. auto: half precision on NVIDIA and AMD cards where it agrees "
                    "with fp32. Scores are fp32 always.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "prompt",
                    display_name="prompt",
                    is_output_list=True,
                    tooltip="For CLIP Text Encode as it is. One, or one for each picture.",
                ),
                io.Float.Output(
                    "similarity",
                    display_name="similarity",
                    is_output_list=True,
                    tooltip="Cosine similarity of prompt and picture in the model's eyes, -1 to 1. Compare it only within one model.",
                ),
                io.String.Output(
                    "candidates",
                    display_name="candidates",
                    is_output_list=True,
                    tooltip="The best prompts of the restarts, best first; for each picture in turn.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(
        cls, pez_model: ManagedModel, image: torch.Tensor, pictures: str, prefix: str = "", suffix: str = "", **settings
    ) -> io.NodeOutput:
        config = _config(prefix=prefix, suffix=suffix, **settings)
        escape_for_comfyui(f"{prefix} {suffix}")  # said before the search, not after it
        if not len(image):
            raise PezError("No picture was given: the image input is an empty batch.")
        results = []
        with torch.inference_mode(False):
            targets = pez_model.targets(image, each=pictures == ONE_FOR_EACH)
            report = Reporter(cls.hidden.unique_id, len(targets))
            model = pez_model.ready(config)
            for target in targets:
                results.append(invert(model, target, config, report))
                report.next_part()
        report.finish(config.steps)
        return io.NodeOutput(
            [escape_for_comfyui(result.prompt) for result in results],
            [result.similarity for result in results],
            [escape_for_comfyui(candidate.text) for result in results for candidate in result.candidates],
            ui={
                "text": [result.prompt for result in results],
                "similarity": [result.similarity for result in results],
                "tokens": [[asdict(token) for token in result.tokens] for result in results],
            },
        )


def _config(
    preset: str,
    banned_words: str = "",
    batch_size: int = 0,
    time_limit: float = 0.0,
    start_words: str = "",
    steps: int = 0,
    restarts: int = 0,
    patience: int = 0,
    method: str = AS_PRESET,
    **settings,
) -> InversionConfig:
    """The node's widgets as a configuration: 0 stands for None or the preset's, a text for the list of banned words."""
    own = {"steps": steps, "restarts": restarts, "patience": patience, "batch_size": batch_size}
    for name, value in own.items():
        if value:
            settings[name] = value if value > 0 else None
    if method != AS_PRESET:
        settings["method"] = method
    if start_words.strip():
        settings |= {"start": "words", "words": start_words}
    return InversionConfig.preset(
        preset,
        banned=tuple(word.strip() for word in re.split(r"[,\n]", banned_words) if word.strip()),
        time_limit=time_limit or None,
        **settings,
    )
