"""Scores are exact and seeds repeatable, whatever state torch is in, and in threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from stand_ins import random_picture

from pez_core import InversionConfig, PezError, Target, invert, invert_all, pick, score

STATES = {
    "inference mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "autocast bf16": lambda: torch.autocast("cpu", torch.bfloat16),
    "default meta": lambda: torch.device("meta"),
}
CONFIG = InversionConfig(length=4, steps=16, explore=10, halving=2)


@pytest.mark.parametrize("state", STATES)
def test_searches_and_scores_are_the_same_in_every_state(model, target, state):
    expected = invert(model, target, CONFIG)
    with STATES[state]():
        found = invert(model, target, CONFIG)
        (scored,) = score(model, [found.prompt], target)
        second = pick(model, target, found, 2)
    assert found.candidates == expected.candidates
    assert found.tokens == expected.tokens
    assert scored.similarity == pytest.approx(expected.similarity, abs=1e-6)
    assert second.prompt == expected.candidates[1].text


def test_a_default_dtype_changes_nothing(model, target):
    expected = invert(model, target, CONFIG)
    torch.set_default_dtype(torch.float64)
    try:
        assert invert(model, target, CONFIG).candidates == expected.candidates
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.slow
def test_threads_share_a_model(model):
    targets = [Target.from_images(model, random_picture(seed)) for seed in range(8)]
    expected = [invert(model, each, CONFIG).candidates for each in targets]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda each: invert(model, each, CONFIG).candidates, targets))
    assert found == expected


def test_a_text_by_itself_is_no_list_of_texts(model, target):
    with pytest.raises(PezError, match="list of texts, not 'cat'"):
        score(model, "cat", target)


def test_a_target_of_another_model_is_named(model):
    other = Target(torch.randn(1, 64), torch.ones(1))
    for use in (lambda: invert(model, other), lambda: score(model, ["cat"], other)):
        with pytest.raises(PezError, match=f"length 64, the model embedded has {model.text.features}"):
            use()


def test_the_embedded_samples_are_searched_under_odd_numbers(model, target):
    """Numbers of other libraries and absurd ones."""
    numpy = pytest.importorskip("numpy")
    assert InversionConfig(steps=numpy.int64(5)).steps == 5
    for name in ("steps", "learning_rate", "time_limit"):
        with pytest.raises(PezError, match=f"{name} must be a"):
            InversionConfig(**{name: 10**5000})


def test_texts_and_targets_may_come_in_any_iterable(model, target):
    assert [each.text for each in score(model, (text for text in ("cat", "dog")), target)] == ["cat", "dog"]
    assert model.encode_texts(text for text in ("cat", "dog")).shape[0] == 2
    alone = invert(model, target, CONFIG).prompt
    assert [each.prompt for each in invert_all(model, (each for each in (target, target)), CONFIG)] == [alone, alone]
    assert [each.prompt for each in invert_all(model, target, CONFIG)] == [alone]


def test_what_is_no_target(model, target):
    for given in ("a.jpg", None, 5):
        with pytest.raises(PezError, match="A target is needed"):
            invert(model, given)
    with pytest.raises(PezError, match="list of texts"):
        score(model, None, target)
    result = invert(model, target, CONFIG)
    with pytest.raises(PezError, match="length 64"):
        pick(model, Target(torch.randn(1, 64), torch.ones(1)), result, 2)
    with pytest.raises(PezError, match="1 or more"):
        pick(model, target, result, 1.5)
