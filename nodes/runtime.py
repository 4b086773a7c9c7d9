"""Models in ComfyUI's hands: its memory management, its inference mode, its progress, its interrupt."""

from __future__ import annotations

import time

import comfy.model_management
import comfy.model_patcher
import comfy.utils
import torch
from server import PromptServer

from ..pez_core import ClipModel, InversionConfig, Progress, Target
from ..pez_core.memory import search_bytes
from ..pez_core.pictures import as_rgb

ROOM = 1.2  # of the image tower's size must the device have, for the tower to go there
PICTURES = 2**29  # bytes that a batch of pictures takes on its way through the tower
TEXT_SECONDS = 0.2  # least time between two live texts


class ManagedModel:
    """A CLIP model whose place in memory ComfyUI decides. This is what travels on PEZ_MODEL wires.

    The towers are managed apart: each needs to be on the device only while it works.
    """

    def __init__(self, model: ClipModel):
        self._model = model
        self._image, self._text = (
            comfy.model_patcher.ModelPatcher(
                tower.module,
                load_device=comfy.model_management.get_torch_device(),
                offload_device=comfy.model_management.unet_offload_device(),
            )
            for tower in (model.image, model.text)
        )

    def targets(self, image: torch.Tensor, each: bool) -> list[Target]:
        """One target for all pictures of `image` [B, H, W, C], or one for each."""
        device = self._image.load_device
        if comfy.model_management.get_total_memory(device) > ROOM * self._image.model_size():  # else the CPU encodes
            comfy.model_management.load_models_gpu([self._image], memory_required=PICTURES, force_full_load=True)
        device = next(self._image.model.parameters()).device
        features = self._model.image.encode(as_rgb(image), device)
        whole = Target(features, torch.ones(len(features)))
        return whole.split() if each else [whole]

    def ready(self, config: InversionConfig) -> ClipModel:
        """The model with its text tower on the computing device, whole, and room for the search.

        Call inside `torch.inference_mode(False)`. ComfyUI may have moved the weights under inference mode
        since the last run; such tensors cannot take part in a backward pass and are copied here.
        """
        needed = search_bytes(self._model, config)
        comfy.model_management.load_models_gpu([self._text], memory_required=needed, force_full_load=True)
        for module in self._model.text.module.modules():
            for name, weight in module._parameters.items():
                if weight is not None and weight.is_inference():
                    module._parameters[name] = torch.nn.Parameter(weight.clone(), requires_grad=False)
            for name, buffer in module._buffers.items():
                if buffer is not None and buffer.is_inference():
                    module._buffers[name] = buffer.clone()
        return self._model


class Reporter:
    """Shows a run on its node: the bar and the best prompt so far. Lets ComfyUI's interrupt through.

    Several runs of one node (one for each picture) share a bar: run `part` of `parts`.
    """

    def __init__(self, node_id: str, parts: int):
        self._node_id = node_id
        self._parts = parts
        self._part = 0
        self._bar: comfy.utils.ProgressBar | None = None
        self._shown_at = 0.0

    def next_part(self) -> None:
        """The following reports belong to the next run."""
        self._part += 1

    def __call__(self, progress: Progress) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        if self._bar is None:
            self._bar = comfy.utils.ProgressBar(progress.steps * self._parts, node_id=self._node_id)
        self._bar.update_absolute(progress.steps * self._part + progress.step)
        now = time.monotonic()
        if progress.prompt and now - self._shown_at >= TEXT_SECONDS:
            self._shown_at = now
            server = PromptServer.instance
            shown = {"node": self._node_id, "prompt": progress.prompt, "similarity": progress.similarity}
            shown |= {"step": progress.step, "steps": progress.steps}
            server.send_sync("pez.progress", shown, server.client_id)  # to the page that started the run

    def finish(self, steps: int) -> None:
        """Fills the bar: a run may stop before its last step."""
        if self._bar is not None:
            self._bar.update_absolute(steps * self._parts)
