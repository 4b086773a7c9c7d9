"""Reports a run on its node, with a progress bar and the panel, and stops it when asked."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from typing import Any

import comfy.model_management
import comfy.utils

from ..pez_core import Progress, escape_for_comfyui
from . import stop
from .states import DONE, PREPARING, SEARCHING, Speaker

TEXT_SECONDS = 0.2  # least time between two updates of the live text


class Reporter:
    """Shows a run on its node. Passes ComfyUI's interrupt through; ends searches when the panel asks.

    Several searches of one node (one for each picture) share a run and a bar. `parts`: their number.
    Use it as a context manager. `hidden`: the node's unique_id, prompt and extra_pnginfo. `measure`: what the exact scores
    are, as in `InversionResult`.
    """

    def __init__(self, hidden: Any, parts: int, seed: int, model: str, measure: str = "similarity"):
        self._measure = measure
        self._node_id, self._parts, self._seed, self._model = hidden.unique_id, parts, seed, model
        self._speaker = Speaker(hidden)
        self._part = 0
        self._bar: comfy.utils.ProgressBar | None = None
        self._shown_at = 0.0

    def __enter__(self) -> Reporter:
        self._run = stop.begin()
        self._stack = ExitStack()
        self._stack.enter_context(self._speaker.ending(run=self._run, parts=self._parts, model=self._model))
        self._stack.callback(stop.end, self._run)
        self._say(PREPARING)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if error is None:
            self._say(DONE)
            if self._bar is not None:  # fill it: a run may stop before its last step
                self._bar.update_absolute(self._bar.total)
        self._stack.__exit__(kind, error, trace)

    def begin_part(self, part: int, thumbnail: str | None, warnings: tuple[str, ...]) -> None:
        """Counts the following reports to a part, from 0."""
        self._part, self._shown_at = part, 0.0
        stop.next_part(self._run, part)
        self._say(SEARCHING, thumbnail=thumbnail, warnings=list(warnings))

    def __call__(self, progress: Progress) -> bool:
        comfy.model_management.throw_exception_if_processing_interrupted()
        if self._bar is None:
            self._bar = comfy.utils.ProgressBar(progress.steps * self._parts, node_id=self._node_id)
        self._bar.update_absolute(progress.steps * self._part + progress.step)
        now, last = time.monotonic(), not progress.restarts
        if progress.prompt and (last or now - self._shown_at >= TEXT_SECONDS):
            self._shown_at = now
            self._speaker.send("pez.progress", **self._event(progress))
        return stop.was_asked(self._run)

    def _say(self, state: str, **values: Any) -> None:
        own = {"run": self._run, "model": self._model, "part": self._part, "parts": self._parts}
        self._speaker.say(state, **own, **values)

    def _event(self, progress: Progress) -> dict[str, Any]:
        """The event for the panel. `similarity` is the exact score of the prompt; `best` and `restarts` are estimates."""
        ahead = progress.steps * (self._parts - self._part) - progress.step
        return {
            "run": self._run,
            "part": self._part,
            "parts": self._parts,
            "seed": self._seed,
            "prompt": progress.prompt,
            "delivered": progress.prompt if self._measure == "accuracy" else escape_for_comfyui(progress.prompt),
            "measure": self._measure,
            "similarity": progress.similarity,
            "best": progress.best if math.isfinite(progress.best) else None,
            "step": progress.step,
            "steps": progress.steps,
            "left": progress.seconds / progress.step * ahead if progress.step else None,
            "restarts": {str(row): value for row, value in progress.restarts.items()},
        }
