"""ComfyUI's memory management as the placement of a model's towers."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakValueDictionary

import comfy.model_management as management
import torch
from comfy.model_patcher import ModelPatcher
from torch import nn

from ..pez_core import ClipModel
from ..pez_core.towers.image_tower import ImageTower
from ..pez_core.towers.placement import device_of

ROOM = 1.2  # of an image tower's size must the device have, for the tower to go there

_patchers: WeakValueDictionary[nn.Module, ModelPatcher] = WeakValueDictionary()  # their placements keep them


class ComfyPlacement:
    """Lets ComfyUI load the towers of `model`, and take them away when it needs their room. See `Placement`.

    Each loaded model has its own, which lives as long as its towers do. All are equal, so the text towers of
    combined models come in one call, and none pushes another off the device.
    """

    def __init__(self, model: ClipModel):
        self._pictures = {tower.module for tower in model.image.towers if isinstance(tower, ImageTower)}
        modules = [*self._pictures, *(tower.module for tower in model.text.towers)]
        self._own = {module: _patcher(module) for module in modules}
        _patchers.update(self._own)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComfyPlacement)

    def __hash__(self) -> int:
        return hash(ComfyPlacement)

    def bring(self, modules: Sequence[nn.Module], room_bytes: int = 0) -> torch.device:
        """As `Placement`. An image tower stays on the CPU where the whole device is too small for it."""
        patchers = [_patchers[module] for module in modules]
        if not self._pictures.issuperset(modules) or all(map(_fits, patchers)):
            management.load_models_gpu(patchers, memory_required=room_bytes, force_full_load=True)
        return device_of(modules[0])

    def send_home(self, module: nn.Module) -> None:
        """As `Placement`: ComfyUI unloads it when it needs the room."""

    def fall_back(self, module: nn.Module) -> torch.device:
        """As `Placement`: ComfyUI unloads it, and it computes on the CPU."""
        patcher = _patchers[module]
        others = [loaded for loaded in management.current_loaded_models if loaded.model is not patcher]
        management.free_memory(1e30, patcher.load_device, keep_loaded=others)
        module.to("cpu")  # ComfyUI unloads to the device itself where it was told that memory is plenty
        return torch.device("cpu")


def host(model: ClipModel) -> ClipModel:
    """Lets ComfyUI decide where the towers of `model` compute; returns the model. Combined models need no call."""
    return model.place(ComfyPlacement(model))


def _fits(patcher: ModelPatcher) -> bool:
    return management.get_total_memory(patcher.load_device) > ROOM * patcher.model_size()


def _patcher(module: nn.Module) -> ModelPatcher:
    """ComfyUI's handle of a module."""
    return ModelPatcher(
        module, load_device=management.get_torch_device(), offload_device=management.unet_offload_device()
    )
