"""Calibration: labels that a model names too readily are held back."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
import torch
from labelled_texts import EXAMPLES, TASK, TEXTS, objective_of
from tiny_language import causal

from pez_core import (
    ClassifierConfig,
    Examples,
    LabelTask,
    PezError,
    calibrate,
    classify,
    evaluate_prompt,
    learn_classifier,
)
from pez_core.classification import calibrated_for
from pez_core.models.towers import tower_of
from pez_core.objectives.calibration import ROUNDS, shares_of, shifts_for


def told(texts: int, labels: int, bias: float = 3.0) -> torch.Tensor:
    """Log-probabilities of labels, the first of them far too likely."""
    scores = torch.randn(2, texts, labels, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    scores[..., 0] += bias
    return scores.log_softmax(-1)


@pytest.mark.parametrize("rounds", [ROUNDS, 200])
@pytest.mark.parametrize("labels", [2, 3])
def test_labels_are_as_frequent_as_they_should_be(labels: int, rounds: int):
    said, shares = told(40, labels), torch.tensor([0.3, 0.7] if labels == 2 else [0.2, 0.5, 0.3], dtype=torch.double)
    shifts = shifts_for(said, shares, rounds)
    means = (said + shifts[:, None]).softmax(-1).mean(1)
    torch.testing.assert_close(means, shares.expand(2, -1), atol=1e-2 if rounds == ROUNDS else 1e-9, rtol=0)
    assert shifts.mean(-1).abs().max() < 1e-9


def test_no_other_shifts_make_the_right_labels_likelier():
    said = told(30, 3)[0]
    right = torch.randint(3, (30,), generator=torch.Generator().manual_seed(1))
    shares = right.bincount(minlength=3).double() / 30

    def likelihood(shifts: torch.Tensor) -> float:
        return float((said + shifts).log_softmax(-1)[torch.arange(30), right].mean())

    best = shifts_for(said[None], shares)[0]
    for change in product((-0.1, 0.0, 0.1), repeat=3):
        assert likelihood(best) >= likelihood(best + torch.tensor(change)) - 1e-12


def test_no_share_is_nothing():
    assert shares_of(Examples(("a", "b", "c"), (0, 0, 0), ("x", "y"))).tolist() == pytest.approx([4 / 5, 1 / 5])


def test_shifts_change_the_odds_by_as_much():
    plain = classify(causal(), TASK, "the story", TEXTS)
    shifted = classify(causal(), TASK.shifted((0.5, -0.5)), "the story", TEXTS)
    for one, other in zip(plain, shifted, strict=True):
        odds, more = (each["bad"] / each["good"] for each in (one, other))
        assert more / odds == pytest.approx(torch.e, rel=1e-3)


def test_a_calibrated_task_names_labels_as_often_as_the_examples_have_them():
    few = EXAMPLES.select([0, 1, 2, 4])  # three bad, one good
    task = calibrate(causal(), TASK, "the story", few)
    probabilities = [each["bad"] for each in classify(causal(), task, "the story", few.texts)]
    assert sum(probabilities) / 4 == pytest.approx(4 / 6, abs=1e-4)  # as if each label had one text more
    assert calibrate(causal(), task, "the story", few) == task  # it begins anew
    assert evaluate_prompt(causal(), task, "the story", EXAMPLES).texts == len(EXAMPLES)


def test_the_value_is_that_with_the_best_shifts():
    model = causal()
    vocabulary = tower_of(model).vocabulary
    prompts = ["red bird tree", "good cat it"]
    found = objective_of(model, calibrated=True).value(
        torch.tensor(vocabulary.encode_all(prompts)), torch.zeros(2, dtype=torch.long)
    )
    for prompt, value in zip(prompts, found, strict=True):
        task = calibrate(model, TASK, prompt, EXAMPLES)
        each = classify(model, task, prompt, TEXTS)
        right = [own[TASK.names[label]] for own, label in zip(each, EXAMPLES.labels, strict=True)]
        assert value.item() == pytest.approx(torch.tensor(right).log().mean().item(), abs=1e-3)


def test_the_gradient_is_that_of_the_value():
    """Although the shifts carry none: at the best ones they do not matter."""
    objective = objective_of(causal(), calibrated=True)
    ids, zero = torch.tensor([[30, 40, 50]]), torch.zeros(1, dtype=torch.long)
    embed, (value, gradient) = objective.space.embed, objective.value_and_gradient(ids, zero)
    direction = gradient / gradient.norm()
    for step in (1e-2, -1e-2):
        object.__setattr__(objective.space, "embed", lambda ids, step=step: embed(ids) + step * direction)
        change = objective.value(ids, zero) - value
        assert change.item() == pytest.approx(step * gradient.norm().item(), rel=0.05)


@pytest.mark.parametrize(
    "shifts",
    [
        (1.0,),
        (0.0, float("nan")),
        (0.0, 0.0, 0.0),
        (1e39, 0.0),  # infinite in float32: all probabilities would be nan
        (10**400, 0),
        ("0.5", "-0.5"),
        "12",
        {"bad": 0.5, "good": -0.5},
        (None, 0.0),
        None,
        0.5,
        torch.ones(2, 2),
    ],
)
def test_shifts_that_make_no_sense_are_refused(shifts: Any):
    for make in (lambda: LabelTask(TASK.names, TASK.words, TASK.suffix, shifts), lambda: TASK.shifted(shifts)):
        with pytest.raises(PezError, match="one number for each of the 2 labels, or none, not "):
            make()


def test_a_task_read_from_json_is_the_one_that_was_written():
    result = learn_classifier(
        causal(), TASK, EXAMPLES, EXAMPLES, ClassifierConfig(steps=3, length=3, vocabulary="any", compare_every=1)
    )
    told = json.loads(json.dumps(result.to_json()))
    read = LabelTask(told["labels"], told["labels"].values(), told["suffix"], told["shifts"])
    assert read == result.task
    assert hash(read) == hash(result.task)
    tensor: Any = torch.tensor([0.5, -0.5])
    assert TASK.shifted(tensor) == TASK.shifted([0.5, -0.5])


def test_more_texts_than_there_are_is_all_of_them():
    task = calibrated_for(causal(), TASK, "the story", EXAMPLES, ClassifierConfig(calibration=1_000_000))
    assert task.shifts == pytest.approx(calibrate(causal(), TASK, "the story", EXAMPLES).shifts, abs=1e-4)
    one = calibrated_for(causal(), TASK, "the story", EXAMPLES, ClassifierConfig(calibration=1))
    assert one.shifts != pytest.approx(task.shifts, abs=1e-2)
    with pytest.raises(PezError, match="calibration must be"):
        ClassifierConfig(calibration=-1)


def test_a_label_that_calibration_never_meets_is_told():
    """Calibration would take its rare texts for a sign that it is never right."""
    texts = tuple(f"the film was {word}" for word in ("good", "fine", "great", "funny", "nice", "boring"))
    rare = Examples(texts, (1, 1, 1, 1, 1, 0), TASK.names)
    told = {}
    for count in (0, 1, 2, 6):
        config = ClassifierConfig(steps=1, length=3, vocabulary="any", calibration=count)
        told[count] = learn_classifier(causal(), TASK, rare, EXAMPLES, config).search.warnings
    assert told[0] == told[6] == ()
    (few,), (one,) = told[2], told[1]
    assert (
        few
        == "The 2 texts that calibrate prompts have no label 'bad', so that it is hardly ever named: raise calibration."
    )
    assert one.startswith("The text that calibrates prompts has no label 'bad'")
