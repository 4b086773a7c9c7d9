"""Searches with an objective without a model, and with many problems side by side."""

from __future__ import annotations

import pytest
import torch
from objectives import Nearness
from parameters import every_method, with_slow
from stand_ins import random_picture

from benchmarks.judges import JUDGES
from benchmarks.pictures import held_out
from pez_core import InversionConfig, Target, combine, invert, invert_all
from pez_core.models.loading import load_folder
from pez_core.search import METHODS, make_stepper, starts

TOKENS, WIDTH, LENGTH = 200, 12, 4
STEPS = {"swaps": 40, "autoprompt": 40, "random": 40}


def nearest(method: str, problems: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """The best value of each problem, and the value of a random prompt, with a method's first search."""
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(TOKENS, WIDTH, generator=generator)
    wanted = table[torch.randint(TOKENS, (problems, LENGTH), generator=generator)]
    objective = Nearness(table, wanted)
    settings = InversionConfig(length=LENGTH, restarts=3, steps=60, seed=seed, candidates=200, top=50)
    (stage,) = METHODS[method].stages(settings)
    generators = [torch.Generator().manual_seed(seed) for _ in range(problems)]
    ids, kept = starts([objective.space.of(0)] * problems, settings, (), (), generators)
    search = stage.search(objective, settings, settings.steps, generators)
    stepper = make_stepper(search, search.begin(ids, None, kept), torch.device("cpu"))
    for _ in range(settings.steps):
        stepper.advance()
    problem = torch.arange(problems).repeat_interleave(3)
    return stepper.state.best_value.view(problems, -1).amax(1), objective.value(ids, problem).view(problems, -1)[:, 0]


@pytest.mark.parametrize("method", ["swaps", "autoprompt"])
def test_swaps_find_the_very_prompt_that_is_wanted(method):
    """Places are independent here, so taking the best swap at each is enough."""
    found, _ = nearest(method, problems=3)
    torch.testing.assert_close(found, torch.zeros(3))


@pytest.mark.parametrize("method", ["pez", "autoprompt-sgd", "random"])
def test_other_searches_get_nearer_without_a_model(method):
    found, first = nearest(method, problems=3)
    assert (found > first).all()


@pytest.fixture(scope="module")
def pictures(model) -> list[Target]:
    return Target.from_images(model, held_out()[0][:16]).split()


CONFIGS = {
    "sixteen": InversionConfig(steps=14, explore=8, halving=3, restarts=4, length=5),
    "patience": InversionConfig(method="pez", steps=200, patience=10, restarts=3, length=4),
    "words around": InversionConfig(steps=12, explore=7, prefix="a photo of", keep=("blue",), banned=("red",)),
    "from tokens": InversionConfig(steps=12, explore=7, length=4, start="tokens"),
    "any": InversionConfig(steps=12, explore=7, length=4, swap_from="any"),
}


@pytest.mark.parametrize("name", with_slow(CONFIGS, ("from tokens", "any")))
def test_pictures_in_one_run_get_what_each_gets_alone(model, pictures, name):
    config, targets = CONFIGS[name], pictures if name == "sixteen" else pictures[:4]
    together = invert_all(model, targets, config)
    alone = [invert(model, each, config) for each in targets]
    assert len({result.prompt for result in alone}) > len(targets) / 2
    assert len({result.steps for result in alone}) > 1 or name != "patience"  # they end at different times
    for one, other in zip(together, alone, strict=True):
        assert one.prompt == other.prompt
        assert [each.text for each in one.candidates] == [each.text for each in other.candidates]
        assert one.similarity == pytest.approx(other.similarity, abs=1e-5)
        assert (one.steps, one.stopped, one.passes) == (other.steps, other.stopped, other.passes)
        assert one.trace == pytest.approx(other.trace, abs=1e-5)


@every_method
def test_every_method_serves_several_targets_at_once(model, method):
    """Targets of different numbers of pictures, of which some are drawn."""
    targets = [
        Target.from_images(model, [random_picture(seed + i) for i in range(count)])
        for seed, count in ((0, 1), (10, 3), (20, 5))
    ]
    config = InversionConfig(method=method, length=4, restarts=4, steps=12, explore=8, halving=2, batch_size=2)
    for one, target in zip(invert_all(model, targets, config), targets, strict=True):
        other = invert(model, target, config)
        assert one.prompt == other.prompt
        assert one.similarity == pytest.approx(other.similarity, abs=1e-5)


def test_combined_models_serve_several_targets_at_once(model, judge):
    both = combine([model, judge])
    targets = Target.from_images(both, held_out()[0][:3]).split()
    config = InversionConfig(length=4, steps=16, explore=8, halving=2)
    prompts = [result.prompt for result in invert_all(both, targets, config)]
    assert prompts == [invert(both, target, config).prompt for target in targets]


@pytest.fixture(scope="module")
def judge():
    return load_folder(JUDGES["resnet"], "judge")


def test_a_run_of_several_reports_all_and_stops_all(model, pictures, monkeypatch):
    monkeypatch.setattr("pez_core.run.loop.LOOK_SECONDS", 0)
    seen = []

    def stop(progress) -> bool:
        seen.append(progress)
        return progress[0].step >= 3

    results = invert_all(model, pictures[:3], InversionConfig(length=4), stop)
    assert [len(each) for each in seen] == [3, 3, 3, 3]
    assert [(result.stopped, result.steps) for result in results] == [("asked to", 3)] * 3
    assert invert_all(model, [], InversionConfig()) == []


def test_drawn_parts_count_by_their_weights(model):
    """A part of weight 0 says nothing, and a light one little, also when it is drawn alone."""
    features = Target.from_images(model, held_out()[0][:2]).features
    config = InversionConfig(method="pez", batch_size=1, steps=80, length=5, patience=None)
    alone = invert(model, Target(features[1:], torch.ones(1)), config).similarity
    for light in (0.0, 0.01):
        target = Target(features, torch.tensor([light, 1.0]))
        assert invert(model, target, config).similarity > alone - 0.08


def test_noise_and_drawn_parts_do_not_depend_on_the_neighbors(model, monkeypatch):
    """Blocks of noise are shorter than blocks of drawn parts here, so the two take turns at the generator."""
    monkeypatch.setattr("pez_core.search.draws.BYTES", 4 * 4 * 4 * 128 * 10)
    targets = [Target.from_images(model, [random_picture(3 * i + j) for j in range(3)]) for i in range(5)]
    config = InversionConfig(method="fluentprompt", batch_size=1, steps=30, restarts=4, length=4, patience=None)
    (first, *_) = invert_all(model, targets, config)
    assert first.trace == pytest.approx(invert(model, targets[0], config).trace, abs=1e-5)
