"""A classifier used with another language model than it was learned with, with stand-ins for ComfyUI. Needs no ComfyUI."""

from __future__ import annotations

import copy
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import pytest
import torch

from pez_core.models.presets import EMBEDDED_FOLDER

WORDS, SUFFIX = ["happy|warm", "sad|lonely"], " feeling"
TEXTS = ("a smiling child with balloons", "an abandoned graveyard under dark clouds", "a street")


class Interrupted(BaseException):
    """As ComfyUI's."""


class Stand(ModuleType):
    """A module of ComfyUI's that has everything."""

    def __getattr__(self, name: str) -> MagicMock:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


@pytest.fixture(scope="module")
def manager() -> Stand:
    """Counts how often it is asked whether to go on; `most`: how often it says yes."""
    made = Stand("comfy.model_management")
    made.asked, made.most = 0, None

    def ask() -> None:
        made.asked += 1
        if made.most is not None and made.asked > made.most:
            raise Interrupted

    made.throw_exception_if_processing_interrupted = ask
    return made


@pytest.fixture(scope="module")
def node(pack, manager):
    latest = Stand("comfy_api.latest")
    latest.io = MagicMock(ComfyNode=object, NodeOutput=lambda *given: SimpleNamespace(result=given))
    names = ("comfy", "comfy.utils", "comfy.model_patcher", "comfy_api", "folder_paths", "nodes", "server")
    stands = {name: Stand(name) for name in names}
    own = {manager.__name__: manager, latest.__name__: latest}
    return pack("nodes.classify_text", {**stands, **own}).PEZClassifyText


@pytest.fixture(scope="module")
def core(pack):
    return pack("pez_core")


@pytest.fixture(scope="module")
def examples(core):
    return core.read_examples(EMBEDDED_FOLDER / "samples" / "moods.csv")


@pytest.fixture
def task(core, examples):
    return core.LabelTask.of(examples.names, WORDS, SUFFIX)


@pytest.fixture
def model(pack):
    return pack("pez_core.models.caption_model").embedded_caption_model()


@pytest.fixture
def other(model):
    """A model that says other words than `model`."""
    changed = copy.deepcopy(model)
    changed.name = "other"
    torch.manual_seed(0)
    for weight in changed.net.parameters():
        weight.data += 0.3 * weight.std(correction=0) * torch.randn_like(weight)
    return changed


@pytest.fixture
def classifier(pack, core, node, model, task, examples):
    calibrating = examples.split(64, seed=0)[0]
    own = core.calibrate(model, task, "the mood", calibrating)
    return pack("nodes.wires").Classifier(own, "the mood", model.name, calibrating)


def likely(core, model, task, text):
    (each,) = core.classify(model, task, "the mood", [text])
    name = max(each, key=each.__getitem__)
    return name, pytest.approx(each[name], abs=1e-5), task.names.index(name)


def test_another_model_is_calibrated_anew_and_only_once(core, node, manager, classifier, other, task):
    own = core.calibrate(other, task, "the mood", classifier.calibrating)
    assert own.shifts != pytest.approx(classifier.task.shifts, abs=0.1)
    manager.asked, asked = 0, []
    for text in TEXTS:
        assert node.execute(text, classifier, other).result == likely(core, other, own, text)
        asked.append(manager.asked)
    assert asked[0] > asked[1] - asked[0] == asked[2] - asked[1]  # the texts were read for the first alone


def test_its_own_model_keeps_its_shifts(core, node, classifier, model):
    for text in TEXTS:
        assert node.execute(text, classifier, model).result == likely(core, model, classifier.task, text)


def test_without_calibration_another_model_has_none(pack, core, node, task, model, other):
    plain = pack("nodes.wires").Classifier(task, "the mood", model.name)
    assert node.execute(TEXTS[0], plain, other).result == likely(core, other, task, TEXTS[0])


def test_an_interrupt_in_calibration_passes_and_leaves_nothing_behind(core, node, manager, classifier, other, task):
    manager.asked, manager.most = 0, 1
    try:
        with pytest.raises(Interrupted):
            node.execute(TEXTS[0], classifier, other)
    finally:
        manager.most = None
    own = core.calibrate(other, task, "the mood", classifier.calibrating)
    assert node.execute(TEXTS[0], classifier, other).result == likely(core, other, own, TEXTS[0])
