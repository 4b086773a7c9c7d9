"""What is given to the library's functions in place of what they take: one clear sentence, not an error of Python's."""

from __future__ import annotations

import pytest
from PIL import Image

from pez_core import (
    InversionConfig,
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
