"""Models in ComfyUI's hands: its memory management, its inference mode, its progress, its interrupt."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.utils
import torch
from PIL import Image
from server import PromptServer

from ..pez_core import (
    ClipModel,
    InversionConfig,
    InversionResult,
    Progress,
    Target,
    combine,
    escape_for_comfyui,
    invert,
)
from ..pez_core.objectives.contributions import importance
from ..pez_core.run.memory import search_bytes
from ..pez_core.targets.sources import Source, TextSource, make_target
from ..pez_core.towers import join
from . import stop

ROOM = 1.2  # of an image tower's size must the device have, for the tower to go there
PICTURES = 2**29  # bytes that a batch of pictures takes on its way through the tower
TEXT_SECONDS = 0.2  # least time between two live texts
REMEMBERED = 16  # results of a model


class ManagedModel:
    """A CLIP model whose place in memory ComfyUI decides. This is what travels on PEZ_MODEL wires.

    The towers are managed apart: each needs to be on the device only while it works. An image tower without a
    `module` is managed by whom it came from.
    """

    def __init__(self, model: ClipModel, patchers: dict[Any, comfy.model_patcher.ModelPatcher] | None = None):
        self._model = model
        self._found: OrderedDict[Any, InversionResult] = OrderedDict()  # so that another candidate costs no search
        self._patchers = patchers or {}  # by tower
        for tower in (*model.image.towers, *model.text.towers):
            if tower not in self._patchers and getattr(tower, "module", None) is not None:
                self._patchers[tower] = comfy.model_patcher.ModelPatcher(
                    tower.module,
                    load_device=comfy.model_management.get_torch_device(),
                    offload_device=comfy.model_management.unet_offload_device(),
                )

    @classmethod
    def combined(cls, models: Sequence[ManagedModel], weights: Sequence[float]) -> ManagedModel:
        """One model of several (see `combine`); their towers stay theirs, in ComfyUI's books as well."""
        patchers = {tower: patcher for model in models for tower, patcher in model._patchers.items()}
        return cls(combine([model._model for model in models], weights), patchers)

    def target(self, sources: Sequence[Source]) -> Target:
        """The target of a blend. Call inside `torch.inference_mode(False)`."""
        reads = any(
            isinstance(source, TextSource) for source in sources
        )  # else the text towers may stay where they are
        return make_target(self.ready() if reads else self._model, sources, self.encode_images)

    def encode_images(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        """Unit features float32 [B, F] of RGB pictures, on the CPU; one image tower after the other."""
        seen = [self._seen_by(tower, pictures) for tower in self._model.image.towers]
        return join(seen, [part.share for part in self._model.parts])

    def _seen_by(self, tower: Any, pictures: Sequence[Image.Image]) -> torch.Tensor:
        patcher = self._patchers.get(tower)
        if patcher is None:
            return tower.encode(pictures, torch.device("cpu"))
        if comfy.model_management.get_total_memory(patcher.load_device) > ROOM * patcher.model_size():
            comfy.model_management.load_models_gpu([patcher], memory_required=PICTURES, force_full_load=True)
        device = next(tower.module.parameters()).device  # where there is no room the CPU encodes
        return tower.encode(pictures, device).cpu()

    def search(
        self, target: Target, config: InversionConfig, on_progress: Callable[[Progress], bool | None]
    ) -> InversionResult:
        """An inversion; or its result again, where the same was searched just before. Call inside
        `torch.inference_mode(False)`."""
        content = torch.cat([target.features, target.weights[:, None]], dim=1).cpu().numpy().tobytes()
        key = (hashlib.sha256(content).digest(), config)
        if key not in self._found:
            self._found[key] = invert(self.ready(config), target, config, on_progress)
            while len(self._found) > REMEMBERED:
                self._found.popitem(last=False)
        return self._found[key]

    def picked(self, result: InversionResult, target: Target, number: int) -> InversionResult:
        """The result with its candidate `number`, from 1, in front; the last one if there are fewer."""
        place = min(number, len(result.candidates)) - 1
        if place == 0:
            return result
        first, others = result.candidates[place], result.candidates[:place] + result.candidates[place + 1 :]
        tokens = importance(self.ready(), target, first.text)
        return replace(result, candidates=(first, *others), tokens=tokens)

    def ready(self, config: InversionConfig | None = None) -> ClipModel:
        """The model with its text towers on the computing device, whole, and room for the search of `config`.

        Call inside `torch.inference_mode(False)`. ComfyUI may have moved the weights under inference mode
        since the last run; such tensors cannot take part in a backward pass and are copied here.
        """
        needed = search_bytes(self._model, config) if config else 0
        texts = [self._patchers[tower] for tower in self._model.text.towers]
        comfy.model_management.load_models_gpu(texts, memory_required=needed, force_full_load=True)
        for tower in self._model.text.towers:
            for module in tower.module.modules():
                for name, weight in module._parameters.items():
                    if weight is not None and weight.is_inference():
                        module._parameters[name] = torch.nn.Parameter(weight.clone(), requires_grad=False)
                for name, buffer in module._buffers.items():
                    if buffer is not None and buffer.is_inference():
                        module._buffers[name] = buffer.clone()
        return self._model


class Reporter:
    """Shows a run on its node: the bar, and the panel. Lets ComfyUI's interrupt through; stops when the panel asks.

    Several runs of one node (one for each picture) share a bar: run `part` of `parts`. Use it as a context manager.
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
        if self._bar is not None and error is None:  # filled: a run may stop before its last step
            self._bar.update_absolute(self._bar.total)

    def next_part(self) -> None:
        """The following reports belong to the next run."""
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
            server.send_sync("pez.progress", self._told(progress), server.client_id)  # to the page that started the run
        return stop.asked(self._run)

    def _told(self, progress: Progress) -> dict[str, Any]:
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
