"""What is remembered of searches. Needs no ComfyUI."""

from __future__ import annotations

from dataclasses import replace

import pytest


@pytest.fixture(scope="module")
def core(pack):
    return pack("pez_core")


@pytest.fixture(scope="module")
def remembered(pack):
    return pack("nodes.memory").remembered


@pytest.fixture
def own(core):
    return core.load_model()


@pytest.fixture
def penguin(core, own):
    return core.Target.from_images(own, core.models.presets.EMBEDDED_FOLDER / "samples" / "penguin.png")


@pytest.fixture
def config(core):
    return core.InversionConfig(length=4, steps=20, restarts=2, patience=None)


def never():
    raise AssertionError("searched again")


def test_a_stopped_search_does_not_answer_for_its_seed(core, remembered, own, penguin, config):
    stopped = remembered(own, penguin, config, lambda: core.invert(own, penguin, config, lambda _: True))
    assert stopped.stopped == "asked to"
    whole = core.invert(own, penguin, config)
    again = remembered(own, penguin, config, lambda: core.invert(own, penguin, config))
    assert again.stopped == "steps"
    assert (again.candidates, again.trace) == (whole.candidates, whole.trace)
    assert len(again.trace) > len(stopped.trace)


def test_a_search_that_ran_out_of_time_does_not_answer_either(core, remembered, own, penguin, config):
    limited = replace(config, time_limit=1e-6)
    assert remembered(own, penguin, limited, lambda: core.invert(own, penguin, limited)).stopped == "time limit"
    with pytest.raises(AssertionError):
        remembered(own, penguin, limited, never)


@pytest.mark.parametrize("patience", [None, 1])
def test_a_whole_search_answers_the_next_time(core, remembered, own, penguin, config, patience):
    config = replace(config, patience=patience, steps=80)
    first = remembered(own, penguin, config, lambda: core.invert(own, penguin, config))
    assert first.stopped == ("steps" if patience is None else "patience")
    assert remembered(own, core.Target(penguin.features.clone(), penguin.weights), config, never) is first


def test_another_search_is_not_answered(core, remembered, own, penguin, config):
    remembered(own, penguin, config, lambda: core.invert(own, penguin, config), "one CLIP")
    other = core.Target(-penguin.features, penguin.weights)
    different = [
        (own, other, config, "one CLIP"),
        (own, penguin, replace(config, seed=1), "one CLIP"),
        (own, penguin, config, "another CLIP"),
        (core.load_model(), penguin, config, "one CLIP"),
    ]
    for model, target, changed, reader in different:
        with pytest.raises(AssertionError):
            remembered(model, target, changed, never, reader)
    assert remembered(own, penguin, config, never, "one CLIP")


def test_the_oldest_results_go_first(pack, core, remembered, own, penguin, config):
    result = core.invert(own, penguin, config)
    most = pack("nodes.memory").MOST
    for seed in range(most):
        remembered(own, penguin, replace(config, seed=seed), lambda: result)
    remembered(own, penguin, replace(config, seed=0), never)  # the newest now
    remembered(own, penguin, replace(config, seed=most), lambda: result)
    assert remembered(own, penguin, replace(config, seed=0), never) is result
    with pytest.raises(AssertionError):
        remembered(own, penguin, replace(config, seed=1), never)
