"""Promises that hold whatever is asked: results are as said, or there is one line that says why not.

What is drawn, and how to draw much more of it, is in `tests/properties.py`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from properties import WORDS, arbitrary, arrays, odd, picture, searches, seeds, texts, times
from tiny_language import causal

from pez_core import (
    Examples,
    InversionConfig,
    LabelTask,
    PezError,
    PictureSource,
    TextSource,
    classify,
    escape_for_comfyui,
    evaluate_prompt,
    invert,
    invert_all,
    learn_classifier,
    make_target,
    pick,
    read_like_comfyui,
    score,
)
from pez_core.batch.rows import line_of, row_of
from pez_core.config import SEARCH_PRESETS, SETTINGS
from pez_core.config.classifier import CLASSIFIER_SETTINGS, ClassifierConfig
from pez_core.models.towers import tower_of
from pez_core.targets.pictures import as_rgb
from pez_core.targets.target import Target
from pez_core.text.bans import Ban
from pez_core.text.spans import pieces

NEVER_WORSE = [method for method in SETTINGS["method"].choices if method != "fluentprompt"]
KINDS = ("llama", "gpt2")
LANGUAGE = {kind: causal(kind) for kind in KINDS}


def or_refused(act: Any) -> Any:
    """What `act` returns; None if it refuses in a line that a person can read."""
    try:
        return act()
    except PezError as error:
        said = str(error)
        assert said.strip()
        assert len(said.splitlines()) == 1
        assert len(said) < 1000
        return None


@st.composite
def sources(draw: st.DrawFn) -> list[Any]:
    """One to three pictures and texts, with masks and weights, to be made a target."""
    found: list[Any] = []
    weights = st.sampled_from([1.0, 1.0, 0.5, -0.3, 2.0])
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            mask = np.zeros((24, 24), np.float32)
            mask[draw(st.integers(0, 12)) :, draw(st.integers(0, 12)) :] = draw(st.sampled_from([1.0, 0.6, 0.0]))
            masks = [mask] if draw(st.booleans()) else None
            shown = picture(draw(st.integers(0, 99)))
            found.append(partial(PictureSource.of, shown, masks, weight=draw(weights)))
        else:
            found.append(partial(TextSource, draw(texts), draw(weights)))
    return found


def target_of(model, wanted) -> Target | None:
    return or_refused(lambda: make_target(model, [make() for make in wanted]))


def check_text(vocabulary, text: str, config: InversionConfig) -> None:
    """Fixed words are there, banned ones are not, and the tokens are as many as they should be."""
    prefix, suffix = (vocabulary.clean(each) for each in (config.prefix, config.suffix))
    assert text.startswith(prefix)
    assert text.endswith(suffix)
    fixed = len(vocabulary.encode(prefix)) + len(vocabulary.encode(suffix))
    assert len(vocabulary.encode(text)) == fixed + config.length
    for phrase in config.keep:
        assert f" {vocabulary.clean(phrase)} " in f" {text} "
    for word in config.banned:
        word = vocabulary.clean(word)
        assert not Ban.parse(word).is_in(pieces(vocabulary, text))
        if word.isalpha():
            assert word not in text.lower().split()


@times(1)
@given(searches(), sources(), st.sampled_from([0.0, 0.0, 0.0, 0.5]))
def test_a_search_returns_what_it_says_or_refuses_in_a_line(model, changes, wanted, readability):
    target = target_of(model, wanted)
    config = or_refused(lambda: InversionConfig(**changes, readability=readability))
    if target is None or config is None:
        return
    result = or_refused(lambda: invert(model, target, config))
    if result is None:
        return
    told = [candidate.text for candidate in result.candidates]
    assert len(set(told)) == len(told)
    for text in told:
        if not readability:  # a readable prompt may be shorter than the length
            check_text(model.vocabulary, text, config)
    again = score(model, told, target)
    for candidate, own in zip(result.candidates, again, strict=True):
        assert candidate.similarity == pytest.approx(own.similarity, abs=2e-6)
    if not readability:
        assert [c.similarity for c in result.candidates] == sorted(
            (c.similarity for c in result.candidates), reverse=True
        )
        assert list(result.trace) == sorted(result.trace)
    plain = result.to_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert (
        "".join(result.prompt[token.start : token.end] for token in result.tokens).split()
        == "".join(token.text for token in result.tokens).split()
    )
    row = row_of("key", result, config, 0.1)
    assert json.loads(line_of(row)) == row
    assert sorted(each.text for each in pick(model, target, result, len(told)).candidates) == sorted(told)


@times(0.5)
@given(searches(steps=6), sources(), st.integers(1, 5))
def test_more_steps_with_the_same_seed_are_never_worse(model, changes, wanted, few):
    target = target_of(model, wanted)
    changes = {**changes, "method": changes["method"] if changes["method"] in NEVER_WORSE else NEVER_WORSE[0]}
    config = or_refused(lambda: InversionConfig(**changes))
    if target is None or config is None:
        return
    more = or_refused(lambda: invert(model, target, config))
    if more is None:
        return
    fewer = invert(model, target, replace(config, steps=few))
    assert fewer.similarity <= more.similarity + 2e-6
    assert fewer.trace == more.trace[: len(fewer.trace)]
    assert invert(model, target, config).candidates == more.candidates


@times(0.4)
@given(
    searches(keep=(), banned=(), prefix="", suffix="", words="a cat", start="random"),
    st.lists(seeds, min_size=2, max_size=3),
)
def test_side_by_side_is_as_alone(model, changes, own):
    config = InversionConfig(**changes)
    targets = [Target.from_images(model, picture(i)) for i in range(len(own))]
    together = invert_all(model, targets, config, seeds=own)
    for target, seed, result in zip(targets, own, together, strict=True):
        alone = invert(model, target, replace(config, seed=seed))
        assert result.prompt == alone.prompt
        assert result.similarity == pytest.approx(alone.similarity, abs=2e-6)


@times(10)
@given(st.sampled_from([(InversionConfig, SETTINGS), (ClassifierConfig, CLASSIFIER_SETTINGS)]), st.data())
def test_a_configuration_is_made_or_refused_in_a_line_that_names_the_field(kind, data):
    made, declared = kind
    name = data.draw(st.sampled_from(list(declared)))
    value = data.draw(arbitrary)
    try:
        config = made(**{name: value})
    except PezError as error:
        said = str(error)
        assert len(said.splitlines()) == 1
        assert len(said) < 500
        assert said.startswith((f"{name} must be", "The banned word"))
        return
    plain = json.loads(json.dumps(asdict(config), allow_nan=False))
    assert made(**plain) == config
    assert type(getattr(config, name)) in (int, float, str, tuple, type(None))


@times(8)
@given(st.sampled_from(["fast", "balanced", "thorough", "paper", "none"]), st.data())
def test_widgets_make_a_configuration_or_a_line(preset, data):
    widgets = [setting.widget for setting in SETTINGS.values() if setting.widget]
    values = data.draw(st.dictionaries(st.sampled_from(widgets), arbitrary | st.integers(-2, 9), max_size=3))
    config = or_refused(lambda: InversionConfig.of_widgets(preset, values))
    assert config is None or preset in SEARCH_PRESETS


@times(10)
@given(arrays())
def test_an_array_is_a_picture_or_refused_in_a_line(array):
    read = or_refused(lambda: as_rgb(array))
    if read is None:
        return
    for image in read:
        assert image.mode == "RGB"
        assert min(image.size) >= 8
    as_tensor = (
        or_refused(lambda: as_rgb(torch.from_numpy(np.ascontiguousarray(array)))) if array.dtype.isnative else read
    )
    assert [image.tobytes() for image in as_tensor or read] == [image.tobytes() for image in read]


@times(4)
@given(arrays(), st.integers(0, 9))
def test_a_mask_is_applied_or_refused_in_a_line(array, seed):
    source = or_refused(lambda: PictureSource.of(picture(seed), [array]))
    if source is not None:
        assert all(isinstance(each, Image.Image) and min(each.size) >= 8 for each in source.pictures)


@times(4)
@given(st.lists(texts, min_size=1, max_size=4))
def test_texts_have_exact_scores_or_a_line(model, target, given_texts):
    found = or_refused(lambda: score(model, given_texts, target))
    if found is None:
        return
    for text, own in zip(given_texts, found, strict=True):
        assert own.text == text
        assert -1.0001 <= own.similarity <= 1.0001
        (alone,) = score(model, [text], target)
        assert own.similarity == pytest.approx(alone.similarity, abs=2e-6)


@times(20)
@given(texts | st.text())
def test_an_escaped_prompt_reads_as_it_was(text):
    escaped = or_refused(lambda: escape_for_comfyui(text))
    if escaped is not None and "\\" not in text and "\0" not in text:
        assert read_like_comfyui(escaped) == text
    or_refused(lambda: read_like_comfyui(text))


def labelled(draw: st.DrawFn) -> tuple[Examples, Examples]:
    """Texts to learn from, and texts that choose."""
    words = ("red bird", "a good film", "terrible story", "funny dog", "it was bad", "great cat", "猫 12", "actor !")
    parts = []
    for least in (2, 2):
        own = draw(st.lists(st.sampled_from(words), min_size=least, max_size=5))
        labels = [draw(st.integers(0, 1)) for _ in own]
        parts.append(Examples(tuple(own), tuple(labels), ("bad", "good")))
    return parts[0], parts[1]


@times(0.7)
@given(searches(banned=(), keep=()), st.sampled_from(KINDS), st.data())
def test_a_classifier_is_as_it_says_or_refused_in_a_line(changes, kind, data):
    model, task = LANGUAGE[kind], LabelTask.of(["bad", "good"], ["terrible", "great"], " it was")
    train, held_out = labelled(data.draw)
    changes["banned"] = data.draw(st.lists(st.sampled_from(["red", "bird", "dog*"]), max_size=1).map(tuple))
    changes["keep"] = data.draw(st.lists(st.sampled_from(["movie", "film"]), max_size=1).map(tuple))
    own = {"compare_every": data.draw(st.integers(1, 3)), "compared": data.draw(st.integers(1, 4))}
    own["calibration"] = data.draw(st.sampled_from([0, 1, 128]))
    config = or_refused(lambda: ClassifierConfig(**changes, **own))
    result = or_refused(lambda: learn_classifier(model, task, train, held_out, config)) if config else None
    if result is None:
        return
    check_text(tower_of(model).vocabulary, result.prompt, config)
    assert result.accuracy == pytest.approx(evaluate_prompt(model, result.task, result.prompt, held_out).accuracy)
    plain = result.to_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    again = learn_classifier(model, task, train, held_out, config)
    assert again.prompt == result.prompt
    if config.method in NEVER_WORSE:
        fewer = learn_classifier(model, task, train, held_out, replace(config, steps=max(1, config.steps // 2)))
        assert fewer.accuracy <= result.accuracy


@times(2)
@given(st.lists(texts | odd, min_size=1, max_size=3), texts, st.sampled_from(KINDS))
def test_probabilities_of_labels_sum_to_one_or_there_is_a_line(given_texts, prompt, kind):
    task = LabelTask.of(["bad", "good", "odd"], ["terrible", "great", "funny|boring"])
    found = or_refused(lambda: classify(LANGUAGE[kind], task, prompt, given_texts))
    for probabilities in found or ():
        assert list(probabilities) == ["bad", "good", "odd"]
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)


@times(4)
@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4), st.text(max_size=5))
def test_a_task_is_made_or_refused_in_a_line(names, words, suffix):
    task = or_refused(lambda: LabelTask.of(names, words, suffix))
    if task is not None:
        or_refused(lambda: classify(LANGUAGE["llama"], task, "", list(WORDS[:1])))
