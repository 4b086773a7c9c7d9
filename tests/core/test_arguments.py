"""What is given to the library's functions in place of what they take: one clear sentence, not an error of Python's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from pez_core import (
    ClipModel,
    InversionConfig,
    LabelTask,
    PezError,
    PictureSource,
    TextSource,
    choose,
    combine,
    distill,
    escape_for_comfyui,
    invert,
    invert_all,
    load_model,
    make_target,
    paint,
    pick,
    read_like_comfyui,
    score,
)
from pez_core.models.painter import load_painter
from pez_core.models.painter_generator import PainterGenerator
from pez_core.targets.sources import blend


def other(model: ClipModel) -> ClipModel:
    """The same towers under another name, so that they can be combined."""
    return ClipModel(model.image, model.text, model.vocabulary, "other")


QUICK = InversionConfig(steps=1, restarts=1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda m, t: score(m, ["a"], "penguin.png"),
            "A target is needed, not 'penguin.png': make one with make_target.",
        ),
        (lambda m, t: score("embedded", ["a"], t), "A model is needed, not 'embedded': load one with load_model."),
        (lambda m, t: invert(m, t, "fast"), "An InversionConfig is needed, not 'fast'"),
        (lambda m, t: invert(m, [t], QUICK), "A target is needed, not "),
        (lambda m, t: invert(m, t, QUICK, language="x"), "A language model is needed, not 'x'"),
        (
            lambda m, t: invert_all(m, [t], QUICK, seeds=["a"]),
            "A seed must be a whole number from 0 to 2^64 - 1, not 'a'.",
        ),
        (lambda m, t: invert_all(m, [t], QUICK, seeds=[-1]), "not -1."),
        (lambda m, t: invert_all(m, [t], QUICK, seeds=7), "A list of seeds is needed, not 7"),
        (lambda m, t: invert_all(m, [t], QUICK, seeds=[1, 2]), "Expected 1 seed for 1 target, got 2."),
        (lambda m, t: pick(m, t, "a", 1), "A result is needed, not 'a'"),
        (lambda m, t: make_target(m, "a"), "A source is needed, not 'a'"),
        (lambda m, t: make_target(m, [TextSource("a"), None]), "A source is needed, not None"),
        (lambda m, t: make_target("m", TextSource("a")), "A model is needed, not 'm'"),
        (lambda m, t: combine(m), "A list of models is needed, not ClipModel(embedded)"),
        (lambda m, t: combine([m, m], 3), "A list of weights is needed, not 3"),
        (lambda m, t: combine([m, m], [10**400, 1]), "Expected 2 weights above 0 for 2 models"),
        (lambda m, t: invert_all(m, [t], QUICK, seeds=[True]), "not True."),
        (lambda m, t: pick(combine([m, other(m)]), t, invert(m, t, QUICK), 1), "make the target with the same model"),
        (lambda m, t: paint(["a"], guidance=10**400), "guidance must be a number from 0 to 100"),
        (lambda m, t: blend([[TextSource("a")]], 3), "A list of weights is needed, not 3"),
        (lambda m, t: blend([TextSource("a")], [3]), "A group of sources is needed, not TextSource("),
        (
            lambda m, t: PictureSource.of(Image.new("RGB", (9, 9)), masks=["a"]),
            "A mask must be numbers [height, width]",
        ),
        (
            lambda m, t: PictureSource("first.jpg"),
            "A picture of Pillow is needed, not 'f': PictureSource.of takes files",
        ),
        (lambda m, t: LabelTask.of(["a", "b"], "x,y"), "Labels are a list, not 'x,y'"),
        (lambda m, t: combine(["a", m]), "A model is needed, not 'a'"),
        (lambda m, t: combine([m, m], ["a", 1]), "Expected 2 weights above 0 for 2 models, got ['a', 1]."),
        (lambda m, t: distill(m, "a red bird", ratio="x"), "ratio must be above 0 and at most 1, not 'x'."),
        (lambda m, t: blend([[TextSource("a")]], ["a"]), "A weight must be a finite number, not 'a'."),
        (lambda m, t: PictureSource.of(Image.new("RGB", (9, 9)), masks=3), "A list of masks is needed, not 3"),
        (lambda m, t: load_model("ViT-B-32", checkpoint=3), "The path of a checkpoint is needed, not 3"),
        (lambda m, t: paint(["a"], guidance="x"), "guidance must be a number from 0 to 100, not 'x'."),
        (
            lambda m, t: choose(PainterGenerator(load_painter()), ["a"], [None]),
            "A picture of Pillow is needed, not None",
        ),
        (lambda m, t: escape_for_comfyui(3), "A text is needed, not 3: give a string."),
        (lambda m, t: read_like_comfyui(None), "A text is needed, not None: give a string."),
    ],
)
def test_another_kind_of_value_is_named(model, target, call, said):
    with pytest.raises(PezError) as refused:
        call(model, target)
    assert said in str(refused.value)


def test_other_kinds_of_the_same_are_taken(model, target):
    seeded = invert_all(model, [target] * 2, QUICK, seeds=np.array([3, 4]))
    assert [type(each.seed) for each in seeded] == [int, int]
    assert [each.prompt for each in invert_all(model, [target] * 2, QUICK, seeds={1: 3, 2: 4}.values())] == [
        each.prompt for each in seeded
    ]
    both = combine({1: model, 2: other(model)}.values(), torch.tensor([1.0, 3.0]))
    assert [part.share for part in both.parts] == [0.25, 0.75]
    paint(["a fox"], steps=1, guidance=torch.tensor(3.0))
    picture, mask = Image.new("RGB", (64, 64), "red"), np.ones((1, 64, 64), np.float32)
    for masks in (mask, torch.from_numpy(mask), [Image.new("L", (64, 64), 255)]):
        assert PictureSource.of(picture, masks=masks).pictures[0].size == (64, 64)
