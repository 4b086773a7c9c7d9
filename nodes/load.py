"""PEZ Load Model."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io
from comfy_execution.utils import get_executing_context

from ..pez_core import ClipModel
from ..pez_core.errors import FetchError
from ..pez_core.models.checkpoints import SUFFIXES
from ..pez_core.models.presets import ALIASES, PRESETS
from .health import require
from .node import PezNode, not_text
from .placement import host
from .states import LOADING, Speaker
from .wires import model_output

FOLDER = "open_clip"
OTHER = "Other (by name)"
NO_FILE = "none"
CHOICES = [*(preset.label for preset in PRESETS), OTHER]

folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))


class PEZLoadModel(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZLoadModel",
            display_name="PEZ Load Model",
            category="PEZ",
            description="Loads the CLIP model that prompts are scored with. Choose the one that your image generator uses.",
            search_aliases=["load clip", "open_clip", "load pez model"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=CHOICES,
                    default=CHOICES[0],
                    tooltip="Listed by the generator that will read the prompt. All except Embedded are downloaded on first use. "
                    f"'{OTHER}' uses the name below.",
                ),
                io.String.Input(
                    "name",
                    default="",
                    placeholder="ViT-B-32/laion2b_s34b_b79k",
                    optional=True,
                    dynamic_prompts=False,
                    tooltip=f"Only with '{OTHER}': an open_clip model as ARCHITECTURE/TAG, or an ARCHITECTURE alone with a checkpoint.",
                ),
                io.Combo.Input(
                    "checkpoint",
                    options=[NO_FILE, *_files()],
                    default=NO_FILE,
                    optional=True,
                    advanced=True,
                    tooltip="Weights from models/open_clip instead of a download: for machines without internet, and for your own models.",
                ),
            ],
            outputs=[model_output()],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],  # with its id, ComfyUI would load a model for each node
        )

    @classmethod
    def validate_inputs(cls, model: str | None, name: str | None = "", checkpoint: str | None = NO_FILE) -> bool | str:
        """Replaces ComfyUI's check of the lists, so that labels of older versions stay valid.

        A connected input is None here; it is checked when the model is loaded.
        """
        if wrong := not_text(model=model, name=name, checkpoint=checkpoint):
            return wrong
        if model is None or name is None:
            return True
        if model not in CHOICES and model not in ALIASES:
            near = difflib.get_close_matches(model, CHOICES, n=1, cutoff=0) or CHOICES[:1]
            return f"There is no model {model!r} in the list. The closest is {near[0]!r}."
        if model == OTHER and not name.strip():
            return f"'{OTHER}' needs the name of an open_clip model, such as ViT-B-32/laion2b_s34b_b79k."
        if model != OTHER and name.strip():
            return f"The name {name.strip()!r} is used only with '{OTHER}': choose that as model, or clear the name."
        if checkpoint not in (None, NO_FILE) and folder_paths.get_full_path(FOLDER, checkpoint) is None:
            return f"There is no file {checkpoint!r} in {_folder()}: put it there, or choose '{NO_FILE}'."
        return True

    @classmethod
    def execute(cls, model: str, name: str = "", checkpoint: str = NO_FILE) -> io.NodeOutput:
        chosen = name.strip() if model == OTHER else model
        context = get_executing_context()
        speaker = Speaker(cls.hidden, context.node_id if context else None)
        speaker.say(LOADING, model=chosen)
        with speaker.ending(model=chosen):
            require()
            file = None if checkpoint == NO_FILE else folder_paths.get_full_path_or_raise(FOLDER, checkpoint)
            return io.NodeOutput(_load(chosen, file, lambda done, total: speaker.downloaded(chosen, done, total)))


def _load(name: str, file: str | None, report: Callable[[int, int], None]) -> ClipModel:
    from ..pez_core.models.downloads import watching  # imported late: open_clip would slow down every start of ComfyUI
    from ..pez_core.models.loading import load_model

    with torch.inference_mode(False), watching(report):
        try:
            return host(load_model(name, file))
        except FetchError as error:
            raise FetchError(f"{error} Put the file into {_folder()}.") from error


def _files() -> list[str]:
    return [file for file in folder_paths.get_filename_list(FOLDER) if file.endswith(SUFFIXES)]


def _folder() -> str:
    return folder_paths.get_folder_paths(FOLDER)[0]
