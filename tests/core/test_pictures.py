"""Every kind of picture becomes the same RGB; what is none is refused in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from stand_ins import random_picture

from pez_core import ClipModel, PezError, Target
from pez_core.targets.pictures import as_rgb

PICTURE = random_picture(0, 16)
VALUES = np.asarray(PICTURE)


def only(pictures) -> np.ndarray:
    (image,) = as_rgb(pictures)
    assert image.mode == "RGB"
    return np.asarray(image)


@pytest.mark.parametrize(
    "same",
    [
        PICTURE,
        VALUES,
        VALUES.astype(np.uint16) * 257,
        VALUES / 255,
        (VALUES / 255).astype(np.float32),
        torch.from_numpy(VALUES / 255)[None],
        torch.from_numpy(VALUES / 255).float(),
        torch.from_numpy(VALUES.copy()),
        np.concatenate([VALUES, np.full((16, 16, 1), 255, np.uint8)], -1),
        PICTURE.convert("RGBA"),
        [PICTURE],
    ],
    ids=lambda x: type(x).__name__,
)
def test_the_same_picture_in_every_form(same):
    assert np.array_equal(only(same), VALUES)


def test_half_precision_is_near():
    assert np.abs(only(torch.from_numpy(VALUES / 255).half()).astype(int) - VALUES).max() <= 1


def test_transparency_lies_on_white():
    clear = Image.new("RGBA", (16, 16), (10, 20, 30, 0))
    assert (only(clear) == 255).all()
    assert (only(np.zeros((16, 16, 4))) == 255).all()
    palette = Image.new("P", (16, 16), 0)
    palette.info["transparency"] = 0
    assert (only(palette) == 255).all()


def test_grey_and_16_bit():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(only(Image.fromarray(grey))[..., 1], grey)
    assert np.array_equal(only(Image.fromarray(grey.astype(np.uint16) * 257))[..., 2], grey)
    assert np.array_equal(only(torch.from_numpy(grey / 255))[..., 0], grey)


def test_exif_orientation_is_applied(tmp_path):
    wide = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to see it upright
    wide.save(tmp_path / "turned.jpg", exif=exif)
    (image,) = as_rgb(tmp_path / "turned.jpg")
    assert image.size == (20, 40)


def test_batches_and_lists_of_all_sizes():
    assert len(as_rgb(torch.rand(5, 20, 30, 3))) == 5
    assert [i.size for i in as_rgb([PICTURE, np.zeros((9, 30, 3)), torch.rand(2, 8, 8, 3)])] == [
        (16, 16),
        (30, 9),
        (8, 8),
        (8, 8),
    ]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ([], "No picture"),
        (None, "No picture"),
        (torch.rand(0, 32, 32, 3), "No picture"),
        (np.zeros((1, 1, 3)), "1 x 1 pixels"),
        (Image.new("RGB", (300, 3)), "300 x 3 pixels"),
        (np.full((16, 16, 3), np.nan), "NaN"),
        (torch.full((1, 16, 16, 3), float("inf")), "NaN or infinite"),
        (np.full((16, 16, 3), 200.0), "0..1"),
        (np.zeros((16, 16, 2)), "shape"),
        (np.zeros((2, 2, 2, 2, 3)), "shape"),
        (np.zeros((16, 16, 3), np.int64), "int64"),
        ("nowhere.png", "no file"),
        (42, "int is not a picture"),
        (np.zeros((0, 16, 3)), "empty"),
    ],
)
def test_what_is_no_picture_is_said_in_one_sentence(bad, said):
    with pytest.raises(PezError, match=said) as caught:
        as_rgb(bad)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_picture(tmp_path):
    (tmp_path / "words.png").write_text("not a picture")
    with pytest.raises(PezError, match=r"words\.png.*cannot be read"):
        as_rgb(tmp_path / "words.png")


def test_a_picture_cut_short(tmp_path):
    random_picture(3, 128).save(tmp_path / "whole.png")
    (tmp_path / "part.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    with pytest.raises(PezError, match=r"part\.png.*cannot be read"):
        as_rgb(tmp_path / "part.png")


class TestTarget:
    def test_weights_are_shares(self, model: ClipModel):
        target = Target.from_images(model, [random_picture(1), random_picture(2)], [3, 1])
        assert target.weights.tolist() == [0.75, 0.25]
        torch.testing.assert_close(target.features.norm(dim=-1), torch.ones(2))

    @pytest.mark.parametrize(
        ("weights", "said"), [([1], "need 2 weights"), ([0, 0], "zero"), ([1, float("nan")], "finite")]
    )
    def test_bad_weights(self, model: ClipModel, weights, said):
        with pytest.raises(PezError, match=said):
            Target.from_images(model, [random_picture(1), random_picture(2)], weights)

    def test_features_are_those_of_open_clips_own_way(self, model: ClipModel, penguin):
        """Our picture reading against Pillow, open_clip's preprocessing and the bare model."""
        with Image.open(penguin) as image:
            batch = model.image._preprocess(image.convert("RGB"))[None]
        expected = torch.nn.functional.normalize(model.image.module.encode_image(batch), dim=-1)
        torch.testing.assert_close(Target.from_images(model, penguin).features, expected)
