"""The list of this pack's nodes."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import metadata, stop
from .batch import PEZBatchFolder
from .both import PEZPositiveAndNegative
from .choose import PEZChooseByGenerator
from .classify_text import PEZClassifyText
from .combine import PEZCombineModels
from .distill import PEZDistill
from .doctor import PEZDoctor
from .from_clip import PEZModelFromCLIP
from .invert import PEZInvert
from .learn_classifier import PEZLearnClassifier
from .load import PEZLoadModel
from .load_language import PEZLoadLanguageModel
from .paint import PEZPaint
from .plot import PEZPlot
from .preparing import PEZSearchSettings, PEZWords
from .sample import PEZSamplePicture
from .save import PEZSavePrompts
from .score import PEZScore
from .targets import PEZBlendTargets, PEZImageTarget, PEZTextTarget
from .weighted import PEZWeightedPrompt


class PezExtension(ComfyExtension):
    async def on_load(self) -> None:
        metadata.listen()
        stop.listen()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            PEZLoadModel,
            PEZModelFromCLIP,
            PEZCombineModels,
            PEZLoadLanguageModel,
            PEZInvert,
            PEZPositiveAndNegative,
            PEZDistill,
            PEZWords,
            PEZSearchSettings,
            PEZImageTarget,
            PEZTextTarget,
            PEZBlendTargets,
            PEZScore,
            PEZChooseByGenerator,
            PEZPaint,
            PEZLearnClassifier,
            PEZClassifyText,
            PEZWeightedPrompt,
            PEZPlot,
            PEZSavePrompts,
            PEZSamplePicture,
            PEZBatchFolder,
            PEZDoctor,
        ]
