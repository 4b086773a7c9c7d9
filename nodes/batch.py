"""PEZ Batch Folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import comfy.utils
import folder_paths
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy_api.latest import io
from server import PromptServer

from ..pez_core import ClipModel, PezError, Progress
from ..pez_core.batch.engines import Plan
from ..pez_core.batch.engines.local import LocalEngine
from ..pez_core.batch.job import Job, Summary
from ..pez_core.batch.manifest import PRESET, WEIGHTS
from ..pez_core.batch.results import open_results
from ..pez_core.batch.sidecars import Sidecars
from ..pez_core.batch.sources import Source, open_source
from ..pez_core.errors import shorten
from ..pez_core.models.fingerprint import fingerprint
from .node import PezNode
from .save import output_file
from .settings import config_of, readability_input, search_inputs, wired_inputs
from .wires import language_input, model_input

LINES = ".jsonl"
UNREADABLE = "its prompt has a name of an embedding or a special token, which CLIP Text Encode would not read as words."


class PEZBatchFolder(PezNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PEZBatchFolder",
            display_name="PEZ Batch Folder",
            category="PEZ",
            description="A prompt for every picture of a folder in ComfyUI's input folder, written to a file as they come. Stopped or "
            "interrupted, it goes on where it was.",
            search_aliases=["batch interrogate", "caption folder", "many pictures", "dataset captions"],
            is_output_node=True,
            inputs=[
                model_input(),
                io.String.Input(
                    "folder",
                    default="",
                    dynamic_prompts=False,
                    tooltip="A folder in ComfyUI's input folder; empty for the input folder itself. Or a list: a .csv or .jsonl "
                    "with a column path.",
                ),
                io.Boolean.Input("recursive", default=False, tooltip="Whether to read the sub-folders too."),
                io.String.Input(
                    "file",
                    default="pez/batch",
                    dynamic_prompts=False,
                    tooltip="File name in ComfyUI's output folder, without extension: JSON Lines, one row per picture. Rows that "
                    "are there are not searched again, except those with an error.",
                ),
                io.Boolean.Input(
                    "captions",
                    default=False,
                    tooltip="Whether to write a .txt per picture, too, into the output folder: what trainers of LoRAs read.",
                ),
                io.Boolean.Input(
                    "restart",
                    default=False,
                    tooltip="Begins anew and removes the rows of the file. Needed after changing a setting.",
                ),
                *search_inputs(),
                *wired_inputs(),
                readability_input(),
                language_input(),
            ],
            outputs=[
                io.String.Output(
                    "prompt",
                    display_name="prompt",
                    is_output_list=True,
                    tooltip="The prompts, in the order of the pictures, ready for CLIP Text Encode. Pictures that failed have none.",
                ),
                io.String.Output(
                    "name",
                    display_name="name",
                    is_output_list=True,
                    tooltip="The picture of each prompt, from the folder.",
                ),
                io.String.Output(
                    "file", display_name="file", tooltip="The file with the rows, from the output folder."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, **_: Any) -> int:
        return time.time_ns()  # the folder may have changed; rows that are there cost nothing

    @classmethod
    def execute(
        cls,
        pez_model: ClipModel,
        folder: str,
        recursive: bool,
        file: str,
        captions: bool,
        restart: bool,
        words: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        language_model: Any = None,
        **own: Any,
    ) -> io.NodeOutput:
        config = config_of(words=words, settings=settings, **own)
        (source, place), path = _source(folder, recursive), output_file(file, LINES)
        options = {
            "source": place,
            "recursive": recursive,
            "captions": captions,
            "model": pez_model.name,
            WEIGHTS: fingerprint(pez_model),
            "language_model": language_model.name if language_model is not None else None,
            PRESET: own["preset"],
            "settings": asdict(config),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PezError(
                f"{shorten(file)!r} cannot be written: {error.strerror}. Choose another file name."
            ) from error
        results = open_results(path)
        job = Job(source, results, options, _captions(path) if captions else None, restart, retry=True)
        show = _Display(str(cls.hidden.unique_id))
        plan = Plan(
            lambda device: (pez_model, language_model), config, ahead=False
        )  # ComfyUI decides where models compute
        summary = job.run(LocalEngine(""), plan, show.rows, show.pack)
        written = {row["key"]: (row["escaped"], row["error"] or UNREADABLE) for row in results.rows()}
        found = [(item.key, *written[item.key]) for item in source if item.key in written]
        prompts = [(key, prompt) for key, prompt, _ in found if prompt]
        if not prompts:
            why = f" The first one: {found[0][2]}" if found else ""
            raise PezError(f"None of {len(found)} pictures could be searched.{why}")
        name = path.relative_to(Path(folder_paths.get_output_directory()).resolve()).as_posix()
        return io.NodeOutput(
            [prompt for _, prompt in prompts],
            [key for key, _ in prompts],
            name,
            ui={"text": [f"{len(written)} rows in {name}, {summary.failed + summary.failed_before} failed"]},
        )


class _Display:
    """The node's bar and its line of text. ComfyUI's interrupt passes through; the rows before are written."""

    def __init__(self, node: str):
        self._node, self._bar, self._done = node, None, 0
        self._total = 1

    def rows(self, summary: Summary) -> None:
        throw_exception_if_processing_interrupted()
        self._done = summary.before + summary.done
        self._total = max(summary.total or 0, self._done, 1)
        self._update(self._done)
        failed = summary.failed_before + summary.failed
        said = f"{self._done} of {summary.total or 'many'} pictures" + (f", {failed} failed" if failed else "")
        PromptServer.instance.send_progress_text(said, self._node)

    def pack(self, progress: Sequence[Progress]) -> bool:
        throw_exception_if_processing_interrupted()
        if progress:
            self._update(self._done + len(progress) * progress[0].step / max(1, progress[0].steps))
        return False

    def _update(self, value: float) -> None:
        self._bar = self._bar or comfy.utils.ProgressBar(self._total, node_id=self._node)
        self._bar.update_absolute(value, self._total)


def _source(name: str, recursive: bool) -> tuple[Source, str]:
    """The pictures of the folder `name` in the input folder, and where in it that is. Raises PezError for one that leads
    elsewhere."""
    inside = Path(folder_paths.get_input_directory()).resolve()
    try:
        path = inside.joinpath(name.strip().replace("\\", "/")).resolve()
        if path.is_relative_to(inside):
            return open_source(path, recursive, within=inside), path.relative_to(inside).as_posix()
    except PezError:
        raise
    except (OSError, ValueError):  # a name that no file can have, or a loop of links
        pass
    raise PezError(f"folder must be a name within ComfyUI's input folder, not {shorten(repr(name))}.")


def _captions(path: Path) -> Sidecars:
    """Captions in a folder with the name of the file, replaced if they exist."""
    folder = path.with_suffix("")
    if folder.resolve() != folder:
        raise PezError(f"The folder {folder.name!r} for the captions is a link: choose another file name.")
    return Sidecars(folder, "replace")
