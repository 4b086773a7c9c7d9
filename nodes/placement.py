"""ComfyUI's memory management as the placement of a model's towers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from weakref import WeakSet, WeakValueDictionary

import comfy.model_management as management
import torch
from comfy.model_patcher import ModelPatcher
from torch import nn

from ..pez_core import ClipModel
from ..pez_core.models.language import TransformersModel
from ..pez_core.models.painter import Painter
from ..pez_core.towers.image_tower import ImageTower
from ..pez_core.towers.placement import device_of

ROOM = 1.2  # times an image tower's size: memory that a device needs to run the tower

_patchers: WeakValueDictionary[nn.Module, ModelPatcher] = WeakValueDictionary()  # kept alive by their placements
_searched: WeakSet[nn.Module] = WeakSet()  # text towers


class ComfyPlacement:
    """Lets ComfyUI load `modules`, and unload them when it needs the memory. See `Placement`.

    pictures: image towers.

    Each loaded model has its own placement, which lives as long as its towers. All placements compare equal, so the
    text towers of combined models are loaded in one call and do not push each other off the device.
    """

    def __init__(self, modules: Iterable[nn.Module], pictures: Iterable[nn.Module] = ()):
        self._pictures = set(pictures)
        self._own = {module: _patcher(module) for module in (*self._pictures, *modules)}
        _patchers.update(self._own)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComfyPlacement)

    def __hash__(self) -> int:
        return hash(ComfyPlacement)

    def bring(self, modules: Sequence[nn.Module], room_bytes: int = 0) -> torch.device:
        """See `Placement`. An image tower stays on the CPU if the whole device is too small for it."""
        patchers = [_patchers[module] for module in modules]
        if not self._pictures.issuperset(modules) or all(map(_fits, patchers)):
            management.load_models_gpu(patchers, memory_required=room_bytes, force_full_load=True)
        return device_of(modules[0])

    def send_home(self, module: nn.Module) -> None:
        """See `Placement`. ComfyUI unloads it when it needs the memory."""

    def fall_back(self, module: nn.Module) -> torch.device:
        """See `Placement`. ComfyUI unloads it, and it computes on the CPU."""
        patcher = _patchers[module]
        others = [loaded for loaded in management.current_loaded_models if loaded.model is not patcher]
        management.free_memory(1e30, patcher.load_device, keep_loaded=others)
        module.to("cpu")  # ComfyUI leaves it on the device if told that memory is plentiful
        return torch.device("cpu")


class BesidePlacement(ComfyPlacement):
    """Lets ComfyUI load one module beside the text towers that are loaded: a search may be using them. See `Placement`."""

    def __init__(self, module: nn.Module):
        self._holder = nn.ModuleList(
            [module]
        )  # ComfyUI sets its attribute `device`, which those of transformers do not allow
        super().__init__([self._holder])

    def bring(self, modules: Sequence[nn.Module], room_bytes: int = 0) -> torch.device:
        """See `Placement`."""
        load_beside_towers([_patchers[self._holder]], force_full_load=True)
        return device_of(self._holder)


def load_beside_towers(patchers: Sequence[ModelPatcher], force_full_load: bool = False) -> None:
    """Lets ComfyUI load these, and not unload the text towers of this pack for it."""
    loaded = [each.model for each in management.current_loaded_models]
    towers = [_patchers[module] for module in _searched if _patchers.get(module) in loaded]
    management.load_models_gpu([*patchers, *towers], force_full_load=force_full_load)


def host(model: ClipModel) -> ClipModel:
    """Lets ComfyUI decide where the towers of `model` compute; returns the model. Combined models do not need it."""
    pictures = [tower.module for tower in model.image.towers if isinstance(tower, ImageTower)]
    texts = [tower.module for tower in model.text.towers]
    _searched.update(texts)
    return model.place(ComfyPlacement(texts, pictures))


def host_painter(painter: Painter) -> Painter:
    """Lets ComfyUI decide where `painter` computes; returns it."""
    painter.placement = ComfyPlacement(painter.modules)
    return painter


def host_language(model: TransformersModel) -> TransformersModel:
    """Lets ComfyUI decide where a language model computes; returns it."""
    model.placement = BesidePlacement(model.module)
    return model


def _fits(patcher: ModelPatcher) -> bool:
    return management.get_total_memory(patcher.load_device) > ROOM * patcher.model_size()


def _patcher(module: nn.Module) -> ModelPatcher:
    """ComfyUI's handle for a module."""
    return ModelPatcher(
        module, load_device=management.get_torch_device(), offload_device=management.unet_offload_device()
    )
