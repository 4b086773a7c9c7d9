"""What is remembered of searches. Needs no ComfyUI."""

from __future__ import annotations

from dataclasses import replace

import pytest


@pytest.fixture(scope="module")
def core(pack):
    return pack("pez_core")


@pytest.fixture(scope="module")
def remembered(pack):
    return pack("nodes.memory").remember


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
    stopped = remembered(lambda: core.invert(own, penguin, config, lambda _: True), own, penguin, config)
    assert stopped.stopped == "asked to"
    whole = core.invert(own, penguin, config)
    again = remembered(lambda: core.invert(own, penguin, config), own, penguin, config)
    assert again.stopped == "steps"
    assert (again.candidates, again.trace) == (whole.candidates, whole.trace)
    assert len(again.trace) > len(stopped.trace)


def test_another_candidate_of_a_stopped_search_can_be_chosen(core, remembered, own, penguin, config):
    config = replace(config, seed=7)
    stopped = remembered(lambda: core.invert(own, penguin, config, lambda _: True), own, penguin, config)
    for candidate in (2, 1, 3):
        assert remembered(never, own, penguin, config, candidate) is stopped
    with pytest.raises(AssertionError):
        remembered(never, own, penguin, config, 3)


def test_a_search_that_ran_out_of_time_does_not_answer_either(core, remembered, own, penguin, config):
    limited = replace(config, time_limit=1e-6)
    assert remembered(lambda: core.invert(own, penguin, limited), own, penguin, limited).stopped == "time limit"
    with pytest.raises(AssertionError):
        remembered(never, own, penguin, limited)


@pytest.mark.parametrize("patience", [None, 1])
def test_a_whole_search_answers_the_next_time(core, remembered, own, penguin, config, patience):
    config = replace(config, patience=patience, steps=80)
    first = remembered(lambda: core.invert(own, penguin, config), own, penguin, config)
    assert first.stopped == ("steps" if patience is None else "patience")
    same = core.Target(penguin.features.clone(), penguin.weights)
    for candidate in (1, 1, 2):
        assert remembered(never, own, same, config, candidate) is first


def test_another_search_is_not_answered(core, remembered, own, penguin, config):
    remembered(lambda: core.invert(own, penguin, config), own, penguin, config, reader="one CLIP")
    other = core.Target(-penguin.features, penguin.weights)
    different = [
        (own, other, config, "one CLIP"),
        (own, penguin, replace(config, seed=1), "one CLIP"),
        (own, penguin, config, "another CLIP"),
        (core.load_model(), penguin, config, "one CLIP"),
    ]
    for model, target, changed, reader in different:
        with pytest.raises(AssertionError):
            remembered(never, model, target, changed, reader=reader)
    assert remembered(never, own, penguin, config, reader="one CLIP")


def test_the_oldest_results_go_first(pack, core, remembered, own, penguin, config):
    result = core.invert(own, penguin, config)
    most = pack("nodes.memory").MOST
    for seed in range(most):
        remembered(lambda: result, own, penguin, replace(config, seed=seed))
    remembered(never, own, penguin, replace(config, seed=0))  # the newest now
    remembered(lambda: result, own, penguin, replace(config, seed=most))
    assert remembered(never, own, penguin, replace(config, seed=0)) is result
    with pytest.raises(AssertionError):
        remembered(never, own, penguin, replace(config, seed=1))
