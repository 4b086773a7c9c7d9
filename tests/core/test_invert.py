"""Whole inversions on the embedded model: what a caller notices."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from stand_ins import fits_best, random_picture

from pez_core import InversionConfig, PezError, Progress, Target, invert
from pez_core.run import loop

QUICK = InversionConfig(length=6, steps=60, patience=None)


def config(**changes) -> InversionConfig:
    return InversionConfig(**{"length": 6, "steps": 60, "patience": None, **changes})


def rescored(model, target, text: str) -> float:
    return target.similarity(model.encode_texts([text])).item()


def test_finds_what_the_picture_shows(model, target):
    result = invert(model, target, InversionConfig(length=6))
    assert fits_best(model, result.prompt) == "penguin"
    assert result.similarity > rescored(model, target, "a penguin on a blue background") - 0.02


def test_same_seed_same_text_other_seed_other_text(model, target):
    first, again, other = (invert(model, target, config(seed=seed)) for seed in (7, 7, 8))
    assert first.candidates == again.candidates
    assert first.trace == again.trace
    assert first.prompt != other.prompt


def test_every_score_is_that_of_its_text(model, target):
    result = invert(model, target, config(prefix="a photo of", suffix="on a table", restarts=5))
    for candidate in result.candidates:
        assert candidate.text.startswith("a photo of ")
        assert candidate.text.endswith(" on a table")
        assert candidate.similarity == pytest.approx(rescored(model, target, candidate.text), abs=1e-6)


def test_candidates_are_distinct_and_ranked(model, target):
    result = invert(model, target, config(restarts=6))
    texts = [candidate.text for candidate in result.candidates]
    scores = [candidate.similarity for candidate in result.candidates]
    assert len(texts) == len(set(texts)) > 1
    assert scores == sorted(scores, reverse=True)
    assert (result.prompt, result.similarity) == (texts[0], scores[0])


def test_trace_never_falls_and_ends_at_the_result(model, target):
    result = invert(model, target, config())
    assert len(result.trace) == result.steps == 60
    assert list(result.trace) == sorted(result.trace)
    assert result.trace[-1] == pytest.approx(result.similarity, abs=1e-5)


def test_more_steps_with_the_same_seed_are_never_worse(model, target):
    scores = [invert(model, target, config(steps=steps)).similarity for steps in (5, 20, 60)]
    assert scores == sorted(scores)


def test_reports_carry_the_best_so_far(model, target, monkeypatch):
    monkeypatch.setattr(loop, "SCORING_SHARE", 1e9)  # every report is scored, on any machine
    seen: list[Progress] = []
    result = invert(model, target, QUICK, lambda progress: seen.append(progress))
    assert [p.step for p in seen if p.step % 10 == 0][-1] == 60
    assert all(p.steps == 60 for p in seen)
    assert all(later.similarity >= p.similarity - 1e-6 for p, later in pairwise(seen))  # rounding: alone, or in a batch
    for progress in seen:
        assert progress.similarity == pytest.approx(rescored(model, target, progress.prompt), abs=1e-6)
    assert (seen[-1].prompt, seen[-1].similarity) == (result.prompt, result.similarity)


def test_a_report_is_never_older_than_its_numbers_also_without_time_for_scores(model, target, monkeypatch):
    monkeypatch.setattr(loop, "SCORING_SHARE", 0)
    seen = []
    result = invert(model, target, QUICK, seen.append)
    first, *others, last = [progress for progress in seen if progress.prompt]
    assert first.similarity is not None  # there is a number from the beginning
    assert any(progress.similarity is None for progress in others)
    for progress in others:
        assert progress.best >= max(progress.restarts.values())
        assert progress.best == pytest.approx(rescored(model, target, progress.prompt), abs=1e-4)
    assert [each.best for each in seen] == sorted(each.best for each in seen)
    assert (last.prompt, last.similarity) == (result.prompt, result.similarity)


def test_stopped_half_way_returns_its_best(model, target):
    whole = invert(model, target, QUICK)
    half = invert(model, target, QUICK, lambda progress: progress.step >= 30)
    assert half.stopped == "asked to"
    assert 30 <= half.steps < 60
    assert half.trace == whole.trace[: half.steps]
    assert half.similarity == pytest.approx(half.trace[-1], abs=1e-5)


def test_what_the_callback_raises_passes_through(model, target):
    class Interrupt(BaseException):
        pass

    def interrupt(progress):
        raise Interrupt

    with pytest.raises(Interrupt):
        invert(model, target, QUICK, interrupt)


def test_time_limit(model, target):
    result = invert(model, target, config(steps=100_000, time_limit=0.5))
    assert result.stopped == "time limit"
    assert result.prompt


def test_patience_stops_on_a_plateau_and_says_so(model, target):
    result = invert(model, target, config(steps=5000, patience=40))
    assert result.stopped == "patience"
    assert result.steps < 5000
    assert result.trace[-1] - result.trace[-41] < 1e-4


def test_drawn_batches_are_deterministic_and_scored_on_all(model):
    target = Target.from_images(model, [random_picture(i) for i in range(5)])
    first, again = (invert(model, target, config(batch_size=1)) for _ in range(2))
    assert first.candidates == again.candidates
    assert first.similarity == pytest.approx(rescored(model, target, first.prompt), abs=1e-6)
    assert first.trace != invert(model, target, config()).trace


def test_works_inside_inference_mode(model, penguin):
    """As ComfyUI runs nodes: the target is made under inference mode, and the search still needs gradients."""
    with torch.inference_mode():
        target = Target.from_images(model, penguin)
        assert invert(model, target, config(steps=5)).prompt


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"length": 76}, "from 1 to 75"),
        ({"length": 70, "prefix": "a photo of a cat on"}, "from 1 to 69.*6 of them"),
        ({"length": 1, "prefix": "cat " * 75}, "nothing is left to search"),
        ({"banned": tuple(f"{c}*" for c in "abcdefghijklmnopqrstuvwxyz")}, "Every token.*banned"),
        ({"prefix": "a blue cat", "banned": ("blue",)}, "'blue' is in the prefix"),
    ],
)
def test_settings_that_the_model_cannot_meet(model, target, changes, said):
    with pytest.raises(PezError, match=said) as caught:
        invert(model, target, InversionConfig(**changes))
    assert "\n" not in str(caught.value)


def test_fixed_text_is_delivered_as_all_tokenizers_read_it(model, target):
    result = invert(model, target, config(steps=3, prefix="a “red” &amp; ﬁne Bird"))
    assert result.prompt.startswith('a "red" & fine Bird ')
    assert result.similarity == pytest.approx(rescored(model, target, result.prompt), abs=1e-6)


def test_longest_prompt_that_fits(model, target):
    result = invert(model, target, config(length=75, steps=3))
    assert len(model.vocabulary.encode(result.prompt)) == 75


def test_fixed_text_that_the_model_never_saw_is_said(model, target, caplog):
    invert(model, target, config(steps=2, prefix="zeppelin"))
    assert "zeppelin" in caplog.text


def test_result_as_plain_values(model, target):
    plain = invert(model, target, config(steps=5, seed=3)).to_json()
    assert set(plain) >= {"prompt", "similarity", "candidates", "steps", "seconds", "model", "seed"}
    assert plain["candidates"][0] == {"text": plain["prompt"], "similarity": plain["similarity"]}
    assert (plain["seed"], plain["model"], plain["steps"]) == (3, "embedded", 5)
