"""PEZ Distill."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..pez_core import ClipModel, TextSource, read_like_comfyui
from ..pez_core.distillation import RATIO, distilled_length
from ..pez_core.objectives.fluency import LanguageModel
from .node import PezNode
from .searching import HIDDEN, search
from .settings import candidate_input, config_of, readability_input, search_inputs, wired_inputs
from .wires import language_input, model_input, result_outputs

FIRSTS = {"readability": 0.0}  # what counts is how much of the text is kept


class PEZDistill(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZDistill",
            display_name="PEZ Distill",
            category="PEZ",
            description="Finds a shorter prompt that means the same to the model as a long one.",
            search_aliases=["shorten prompt", "compress prompt", "summarize prompt"],
            inputs=[
                model_input(),
                io.String.Input(
                    "text",
                    multiline=True,
                    default="",
                    dynamic_prompts=False,
                    tooltip="The long prompt. Weights such as (word:1.2) are ignored; text over 75 tokens is split, each part "
                    "weighted by length.",
                ),
                io.Float.Input(
                    "ratio",
                    default=RATIO,
                    min=0.01,
                    max=1.0,
                    step=0.05,
                    round=0.01,
                    tooltip="Length of the short prompt as a share of the text's tokens. Used where length is 0.",
                ),
                io.Int.Input(
                    "length",
                    default=0,
                    min=0,
                    max=75,
                    tooltip="Tokens of the short prompt. 0 uses the ratio.",
                ),
                *search_inputs(without="length"),
                *wired_inputs(),
                candidate_input(),
                readability_input(FIRSTS["readability"]),
                language_input(),
            ],
            outputs=result_outputs(
                "How much of the text's meaning the short prompt keeps: the cosine similarity of their features, 1 for all "
                "of it."
            ),
            hidden=HIDDEN,
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        pez_model: ClipModel,
        text: str,
        ratio: float,
        length: int,
        candidate: int = 1,
        words: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        language_model: LanguageModel | None = None,
        **own: Any,
    ) -> io.NodeOutput:
        source = TextSource(read_like_comfyui(text))
        length = length or distilled_length(pez_model, source.text, ratio)
        config = config_of(words=words, settings=settings, firsts=FIRSTS, length=length, **own)
        return search(cls, pez_model, [[source]], config, candidate, language=language_model)
