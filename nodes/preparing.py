"""PEZ Words and PEZ Search Settings: what nodes that search take besides their own widgets."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..pez_core.config import RARE, WORDS
from .node import PezNode
from .settings import METHOD, checked, method_input, settings_on, widget_of
from .wires import PezSettings, PezWords


class PEZWords(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZWords",
            display_name="PEZ Words",
            category="PEZ",
            description="Words around the prompt, words to keep, to ban and to start from. For PEZ Invert and PEZ Distill.",
            search_aliases=["prefix", "suffix", "banned words", "start prompt", "refine prompt"],
            inputs=[widget_of(setting) for setting in settings_on(WORDS)],
            outputs=[
                PezWords.Output(
                    "words", display_name="words", tooltip="Connect to words of PEZ Invert or PEZ Distill."
                ),
            ],
        )

    @classmethod
    def execute(cls, **words: str) -> io.NodeOutput:
        return io.NodeOutput(checked(words))


class PEZSearchSettings(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZSearchSettings",
            display_name="PEZ Search Settings",
            category="PEZ",
            description="Settings that are rarely needed: vocabulary, steps, method and its own settings. What is not set "
            "here is the preset's.",
            search_aliases=["method", "steps", "vocabulary", "autoprompt", "fluentprompt", "random search"],
            inputs=[*(widget_of(each) for each in settings_on(RARE) if each.name != METHOD), method_input()],
            outputs=[
                PezSettings.Output(
                    "settings", display_name="settings", tooltip="Connect to settings of PEZ Invert or PEZ Distill."
                ),
            ],
        )

    @classmethod
    def execute(cls, method: dict[str, Any] | None = None, **settings: Any) -> io.NodeOutput:
        return io.NodeOutput(checked({**settings, **(method or {})}))
