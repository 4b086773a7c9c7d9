"""ComfyUI's memory manager as a placement, with a stand-in for the manager. Needs no ComfyUI."""

from __future__ import annotations

import gc
import weakref
from types import ModuleType

import pytest
import torch
from stand_ins import random_picture

from benchmarks.judges import JUDGES

CPU = torch.device("cpu")


class Patcher:
    """As ComfyUI's ModelPatcher."""

    def __init__(self, model, load_device, offload_device):
        self.model, self.load_device, self.offload_device = model, load_device, offload_device

    def model_size(self):
        return sum(weight.nbytes for weight in self.model.parameters())


class Loaded:
    """As ComfyUI's LoadedModel."""

    def __init__(self, model):
        self.model = model


class Manager(ModuleType):
    """As comfy.model_management: records its calls. `total`: bytes of the device."""

    def __init__(self):
        super().__init__("comfy.model_management")
        self.total, self.loads, self.freed, self.full = 1e12, [], [], False
        self.current_loaded_models = []

    def get_torch_device(self):
        return CPU

    unet_offload_device = get_torch_device

    def get_total_memory(self, device):
        return self.total

    def load_models_gpu(self, models, memory_required=0, force_full_load=False):
        assert force_full_load
        self.loads.append(([each.model for each in models], memory_required))
        known = [loaded.model for loaded in self.current_loaded_models]
        self.current_loaded_models += [Loaded(each) for each in models if each not in known]
        if self.full:
            raise torch.cuda.OutOfMemoryError("no memory")

    def free_memory(self, memory, device, keep_loaded=()):
        self.freed += [loaded.model.model for loaded in self.current_loaded_models if loaded not in keep_loaded]


@pytest.fixture
def manager(pack):
    made = Manager()
    placement = pack("nodes.placement", _comfy(made))
    placement.management = made
    return made


def _comfy(manager):
    comfy, patcher = ModuleType("comfy"), ModuleType("comfy.model_patcher")
    patcher.ModelPatcher = Patcher
    comfy.model_management, comfy.model_patcher = manager, patcher
    return {"comfy": comfy, "comfy.model_management": manager, "comfy.model_patcher": patcher}


@pytest.fixture
def own(pack, manager):
    return pack("nodes.placement").host(pack("pez_core").load_model())


def test_a_language_model_is_loaded_beside_the_text_tower_that_a_search_may_use(pack, manager, own):
    own.encode_images([random_picture(1)])
    own.ready()
    language = ModuleType("a language model")
    language.module = torch.nn.Linear(2, 2)
    placement = pack("nodes.placement").host_language(language).placement
    assert placement.bring([language.module]) == CPU
    (holder, *others), _ = manager.loads[-1]
    assert list(holder.children()) == [language.module]
    assert others == [tower.module for tower in own.text.towers]  # not the image tower, which is done


@pytest.fixture
def judge(pack, manager):
    load = pack("pez_core.models.loading").load_folder
    return pack("nodes.placement").host(load(JUDGES["resnet"], "judge"))


def test_a_search_loads_the_text_tower_and_makes_room_for_its_work(manager, own):
    own.ready(5)
    assert manager.loads == [([own.text.module], 5)]


def test_pictures_load_the_image_tower_with_room_for_a_batch(manager, own):
    own.encode_images([random_picture(1)])
    ((towers, room),) = manager.loads
    assert towers == [own.image.module]
    assert room > 0


def test_the_towers_of_combined_models_come_in_one_call(pack, manager, own, judge):
    both = pack("pez_core").combine([own, judge])
    both.ready(7)
    assert manager.loads == [([own.text.module, judge.text.module], 7)]


def test_an_image_tower_stays_on_the_cpu_where_the_device_is_too_small_for_it(manager, own):
    size = sum(weight.nbytes for weight in own.image.module.parameters())
    expected = own.encode_images([random_picture(1)])
    for total, loads in ((1.3 * size, 1), (1.1 * size, 0)):
        manager.total, manager.loads = total, []
        torch.testing.assert_close(own.encode_images([random_picture(1)]), expected)
        assert len(manager.loads) == loads
    own.ready()
    assert manager.loads == [([own.text.module], 0)]  # a text tower has nowhere else to go


def test_pictures_are_encoded_on_the_cpu_when_memory_runs_out(manager, own):
    expected = own.encode_images([random_picture(1)])
    own.ready()
    manager.full = True
    torch.testing.assert_close(own.encode_images([random_picture(1)]), expected)
    assert manager.freed == [own.image.module]


def test_combined_models_keep_their_parts_and_let_them_go(pack, manager):
    core, host = pack("pez_core"), pack("nodes.placement").host
    judge = pack("pez_core.models.loading").load_folder(JUDGES["resnet"], "judge")
    both = core.combine([host(core.load_model()), host(judge)])
    del judge
    gc.collect()
    both.ready()
    ((towers, _),) = manager.loads
    assert len(towers) == 2
    kept = [weakref.ref(tower) for tower in towers]
    del both, towers
    manager.loads.clear()
    manager.current_loaded_models.clear()
    gc.collect()
    assert [each() for each in kept] == [None, None]
