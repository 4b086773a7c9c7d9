"""Reports a run on its node, with a progress bar and the panel, and stops it when asked."""

from __future__ import annotations

import time
from typing import Any

import comfy.model_management
import comfy.utils
from server import PromptServer

from ..pez_core import Progress, escape_for_comfyui
from . import stop

TEXT_SECONDS = 0.2  # least time between two updates of the live text


class Reporter:
    """Shows a run on its node. Passes ComfyUI's interrupt through; stops the run when the panel asks.

    Several runs of one node (one for each picture) share a bar. `parts`: their number. Use it as a context manager.
    `hidden`: the node's unique_id and extra_pnginfo.
    """

    def __init__(self, hidden: Any, parts: int):
        self._node_id = hidden.unique_id
        workflow = (hidden.extra_pnginfo or {}).get("workflow") if isinstance(hidden.extra_pnginfo, dict) else None
        self._workflow = workflow.get("id") if isinstance(workflow, dict) else None
        self._parts = parts
        self._part = 0
        self._bar: comfy.utils.ProgressBar | None = None
        self._shown_at = 0.0

    def __enter__(self) -> Reporter:
        self._run = stop.begin()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        stop.end(self._run)
        if self._bar is not None and error is None:  # fill it: a run may stop before its last step
            self._bar.update_absolute(self._bar.total)

    def next_part(self) -> None:
        """Counts the following reports to the next run."""
        self._part += 1

    def __call__(self, progress: Progress) -> bool:
        comfy.model_management.throw_exception_if_processing_interrupted()
        if self._bar is None:
            self._bar = comfy.utils.ProgressBar(progress.steps * self._parts, node_id=self._node_id)
        self._bar.update_absolute(progress.steps * self._part + progress.step)
        now = time.monotonic()
        if progress.prompt and now - self._shown_at >= TEXT_SECONDS:
            self._shown_at = now
            server = PromptServer.instance
            server.send_sync(
                "pez.progress", self._event(progress), server.client_id
            )  # to the page that started the run
        return stop.was_asked(self._run)

    def _event(self, progress: Progress) -> dict[str, Any]:
        """The event for the panel. `similarity` is the exact score of the prompt; `restarts` are the search's estimates."""
        ahead = progress.steps * (self._parts - self._part) - progress.step
        return {
            "node": self._node_id,
            "run": self._run,
            "workflow": self._workflow,
            "part": self._part,
            "parts": self._parts,
            "prompt": progress.prompt,
            "delivered": escape_for_comfyui(progress.prompt),
            "similarity": progress.similarity,
            "step": progress.step,
            "steps": progress.steps,
            "left": progress.seconds / progress.step * ahead if progress.step else None,
            "restarts": {str(row): value for row, value in progress.restarts.items()},
        }
