"""Targets of pictures, masks and texts with weights."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch
from PIL import Image
from stand_ins import random_picture

from pez_core import PezError, PictureSource, Target, TextSource
from pez_core.targets.sources import blend, make_target, one_for_each
from pez_core.targets.views import Views, apply_mask
from pez_core.towers.image_tower import BATCH


def test_a_picture_alone_is_the_plain_target(model, penguin):
    plain, made = Target.from_images(model, penguin), make_target(model, [PictureSource.of(penguin)])
    torch.testing.assert_close(made.features, plain.features)
    torch.testing.assert_close(made.weights, plain.weights)


def test_a_blend_is_the_weighted_sum_of_its_cosines(model):
    red, blue, text = random_picture(1), random_picture(2), "a yellow dog"
    sources = [PictureSource.of([red, blue], weight=2.0), TextSource(text, -1.0)]
    found = make_target(model, sources).similarity(model.encode_texts(["a red bird"])).item()
    seen = model.encode_texts(["a red bird"])[0]
    cosines = [
        (feature @ seen).item() for feature in (*model.encode_images([red, blue]), model.encode_texts([text])[0])
    ]
    assert found == pytest.approx((1 * cosines[0] + 1 * cosines[1] - 1 * cosines[2]) / 3, abs=1e-6)


def test_pictures_of_different_sizes_and_batches_belong_together(model):
    source = PictureSource.of([torch.rand(2, 40, 60, 3), random_picture(1, 96), torch.rand(33, 90, 3)])
    assert len(make_target(model, [source])) == 4


def test_crops_and_flips_have_half_of_a_pictures_weight(model, penguin):
    source = PictureSource.of(penguin, crops=True, flips=True)
    target = make_target(model, [source])
    assert target.weights.tolist() == pytest.approx([0.5] + [0.1] * 5)
    torch.testing.assert_close(target.features, model.encode_images(list(Views(source.pictures, True, True))))


def test_views_are_the_picture_the_mirror_image_and_the_corners():
    picture = Image.new("RGB", (100, 40), "white")
    picture.putpixel((0, 0), (255, 0, 0))
    whole, mirror, *corners = Views([picture], crops=True, flips=True)
    assert whole is picture
    assert mirror.getpixel((99, 0)) == (255, 0, 0)
    assert [corner.size for corner in corners] == [(85, 34)] * 4
    assert [corner.getpixel((0, 0)) == (255, 0, 0) for corner in corners] == [True, False, False, False]


def test_views_are_not_all_in_memory_at_once(model):
    """Each view is created for its batch and released after it."""
    made, most = [], []

    class Counted(Views):
        def __getitem__(self, place):
            view = super().__getitem__(place).copy()
            made.append(weakref.ref(view))
            most.append(sum(each() is not None for each in made))
            return view

    pictures = [random_picture(i) for i in range(20)]
    counted = Counted(pictures, crops=True, flips=True)
    found = model.encode_images(counted)
    assert len(most) == len(found) == 120
    assert max(most) <= BATCH + 1
    torch.testing.assert_close(found[::6], model.encode_images(pictures), atol=1e-5, rtol=0)


def test_only_what_the_mask_covers_counts(model):
    left, right = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "blue")
    both = Image.new("RGB", (128, 64))
    both.paste(left, (0, 0))
    both.paste(right, (64, 0))
    mask = np.zeros((64, 128), np.float32)
    mask[:, :64] = 1
    assert apply_mask(both, mask).tobytes() == left.tobytes()
    small = apply_mask(both, mask[::4, ::4])  # a mask of another size is fitted
    assert abs(small.width - 64) <= 4
    source = PictureSource.of(both, [mask])
    torch.testing.assert_close(make_target(model, [source]).features, model.encode_images([left]))


def test_a_soft_mask_lies_on_neutral_ground():
    mask = np.zeros((64, 64), np.float32)
    yy, xx = np.mgrid[:64, :64]
    mask[(yy - 32) ** 2 + (xx - 32) ** 2 < 400] = 1
    cut = apply_mask(Image.new("RGB", (64, 64), "red"), mask)
    assert cut.getpixel((cut.width // 2, cut.height // 2)) == (255, 0, 0)
    assert cut.getpixel((0, 0)) == (122, 116, 104)


def test_one_for_each_keeps_what_is_shared():
    pictures = tuple(random_picture(i) for i in range(3))
    pushed, text = PictureSource(pictures[:1], -1.0), TextSource("dog", 0.5)
    found = one_for_each([PictureSource(pictures, 2.0), pushed, text])
    assert [each[0].pictures for each in found] == [(picture,) for picture in pictures]
    assert all(each[1:] == (pushed, text) for each in found)
    assert one_for_each([text]) == [(text,)]


def test_a_long_text_counts_piece_by_piece(model):
    words = [f"word{'s' * (i % 3)}" for i in range(70)] + ["bird"] * 40
    target = make_target(model, [TextSource(" ".join(words))])
    assert len(target) == 2
    lengths = [len(model.vocabulary.encode(" ".join(words))), model.vocabulary.room]
    assert target.weights[0].item() == pytest.approx(lengths[1] / lengths[0], abs=0.02)
    short = make_target(model, [TextSource("a red bird")])
    torch.testing.assert_close(short.features, model.encode_texts(["a red bird"]))


def test_blend_multiplies_weights():
    a, b = TextSource("a", 2.0), TextSource("b", -1.0)
    assert [source.weight for source in blend([[a, b], [b]], [0.5, 3])] == [1.0, -0.5, -3.0]


DOT = np.pad(np.ones((2, 2), np.float32), 31)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda model: TextSource("  "), "empty"),
        (lambda model: make_target(model, []), "nothing to match"),
        (lambda model: make_target(model, [TextSource("a", 0.0)]), "weights are 0"),
        (lambda model: blend([[TextSource("a")]], [1, 2]), "Expected 1 weight for 1 target, got 2."),
        (lambda model: blend([[TextSource("a")]], [float("nan")]), "finite"),
        (lambda model: PictureSource.of(random_picture(1), [np.zeros((64, 64))]), "leaves nothing"),
        (
            lambda model: PictureSource.of([random_picture(i) for i in range(3)], [np.ones((64, 64))] * 2),
            "Expected 3 masks for 3 pictures, got 2; one",
        ),
        (lambda model: PictureSource(()), "No picture"),
        (
            lambda model: PictureSource.of(random_picture(1), [DOT]),
            "What the mask leaves is [0-9]+ x [0-9]+ pixels: too small",
        ),
        (lambda model: TextSource(5), "5 is not a text"),
        (lambda model: TextSource("a", "1"), "finite number, not '1'"),
        (lambda model: TextSource("a", 10**400), "finite number"),
        (lambda model: make_target(model, [TextSource("a"), TextSource("a", -1)]), "cancel out"),
        (
            lambda model: make_target(
                model, [PictureSource((random_picture(1),) * 2), PictureSource((random_picture(1),), -1)]
            ),
            "cancel out",
        ),
        (lambda model: PictureSource.of(random_picture(1), [np.eye(64)[:, :1].repeat(64, 1) > 2]), "leaves nothing"),
    ],
)
def test_what_cannot_be_a_target(model, make, said):
    with pytest.raises(PezError, match=said):
        make(model)


def test_one_source_needs_no_list(model):
    torch.testing.assert_close(make_target(model, TextSource("a cat")).features, model.encode_texts(["a cat"]))


def test_huge_weights_are_shares_all_the_same():
    assert Target(torch.eye(2), torch.tensor([3e38, 3e38])).weights.tolist() == [0.5, 0.5]


def test_targets_can_be_compared(target):
    assert target == target
    assert target != Target(target.features, target.weights)
    assert len({target, target}) == 1


def test_a_target_of_another_model_is_refused(model):
    Target(torch.randn(1, model.text.features), torch.ones(1)).check(model)
    with pytest.raises(
        PezError,
        match=f"features of length 64, the model embedded has {model.text.features}: make the target with the same",
    ):
        Target(torch.randn(1, 64), torch.ones(1)).check(model)
