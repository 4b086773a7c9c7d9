"""What only a machine with CUDA can show: captured graphs, fused kernels and half precision in whole searches."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
import torch
from stand_ins import small

from pez_core import ClipModel, InversionConfig, Target, invert, invert_all, load_model, score
from pez_core.inversion import invert_each
from pez_core.search import METHODS
from pez_core.search.projection import _fastest, _find
from pez_core.towers import TextTower

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@pytest.fixture(scope="module")
def on_cuda() -> ClipModel:
    return load_model(device="cuda")


@pytest.fixture(scope="module")
def aim(on_cuda, penguin) -> Target:
    return Target.from_images(on_cuda, penguin)


@pytest.mark.parametrize("method", METHODS)
def test_searches_run_as_graphs_and_repeat(on_cuda, aim, method, caplog):
    config = InversionConfig(method=method, length=6, restarts=4, steps=24, prefix="a", suffix="on blue")
    with caplog.at_level(logging.WARNING):
        first, again = (invert(on_cuda, aim, config) for _ in range(2))
    assert first.candidates == again.candidates
    assert not caplog.records  # such as that a step could not be captured
    assert score(on_cuda, [first.prompt], aim)[0].similarity == pytest.approx(first.similarity, abs=1e-6)


def test_finds_as_much_as_on_the_cpu(on_cuda, aim, model, target):
    assert invert(on_cuda, aim).similarity == pytest.approx(invert(model, target).similarity, abs=0.03)


def test_pictures_side_by_side_find_about_what_each_finds_alone(on_cuda, aim):
    config = InversionConfig(length=6, restarts=4)
    alone = invert(on_cuda, aim, config)
    for result in invert_all(on_cuda, [aim] * 3, config):
        assert result.similarity == pytest.approx(alone.similarity, abs=0.03)


def test_a_picture_that_comes_into_a_graph_under_way_finds_about_what_it_finds_alone(on_cuda, aim, caplog):
    config = InversionConfig(method="pez", steps=200, patience=20, length=6, restarts=2)
    waiting = [3, 4, 5]  # seeds

    def following(_: int) -> tuple[Target, int] | None:
        return (aim, waiting.pop(0)) if waiting else None

    with caplog.at_level(logging.WARNING):
        packs = list(invert_each(on_cuda, [aim] * 2, config, following, seeds=[1, 2]))
    found = [result for some in packs for _, result in some]
    assert not caplog.records
    assert sorted(result.seed for result in found) == [1, 2, 3, 4, 5]
    for result in found:
        alone = invert(on_cuda, aim, replace(config, seed=result.seed))
        assert result.similarity == pytest.approx(alone.similarity, abs=0.05)


def test_targets_of_several_pictures_have_one_device(on_cuda, penguin):
    pair = Target.from_images(on_cuda, [penguin, penguin], [1, 2])
    assert pair.features.device == pair.weights.device
    assert invert(on_cuda, pair, InversionConfig(steps=8, restarts=2)).prompt


@pytest.mark.parametrize("architecture", ["ViT-B-32", "ViT-L-14", "ViT-H-14"])
def test_usual_towers_use_the_fused_kernels(architecture, openai_vocabulary):
    tower = TextTower(small(architecture).cuda(), openai_vocabulary, architecture)
    tower.prompt_encoder(precision="auto")
    assert tower._chosen["auto", tower.device] == (torch.float16, True)


def test_projection_uses_its_kernel():
    assert _fastest(torch.device("cuda")) is not _find
