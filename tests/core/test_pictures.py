"""Every kind of picture becomes the same RGB; anything else is refused with a clear error."""

from __future__ import annotations

import os
import random
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from stand_ins import random_picture

from pez_core import ClipModel, PezError, Target
from pez_core.checks.measuring import extra_megabytes
from pez_core.targets.pictures import as_rgb

PICTURE = random_picture(0, 16)
VALUES = np.asarray(PICTURE)


def closed() -> Image.Image:
    image = Image.new("RGB", (16, 16))
    image.close()
    return image


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
        PICTURE.convert("RGBA").convert("RGBa"),
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
    assert (only(Image.new("La", (16, 16))) == 255).all()
    palette = Image.new("P", (16, 16), 0)
    palette.info["transparency"] = 0
    assert (only(palette) == 255).all()


def test_grey_and_16_bit():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(only(Image.fromarray(gray))[..., 1], gray)
    assert np.array_equal(only(Image.fromarray(gray.astype(np.uint16) * 257))[..., 2], gray)
    assert np.array_equal(only(torch.from_numpy(gray / 255))[..., 0], gray)


def test_16_bit_pictures_have_65535_as_white(tmp_path):
    """Whatever their brightest value is."""
    dark = np.full((16, 16), 255, np.uint16)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    Image.fromarray(dark).save(tmp_path / "dark.tiff")
    for form in (dark, dark.astype(">u2"), Image.fromarray(dark), tmp_path / "dark.png", tmp_path / "dark.tiff"):
        assert (only(form) == 1).all()


def test_every_16_bit_value_is_rounded():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = (values / 65535.0 * 255).round()
    assert np.array_equal(only(values)[..., 0], expected)
    assert np.array_equal(only(Image.fromarray(values))[..., 0], expected)


@pytest.mark.parametrize("top", [1, 255, 65535])
def test_float_files_say_by_their_values_what_is_white(top):
    values = np.linspace(0, top, 256, dtype=np.float32).reshape(16, 16)
    assert np.array_equal(only(Image.fromarray(values))[..., 0], np.arange(256).reshape(16, 16))


def test_overshoot_of_resampling_is_clipped():
    """ComfyUI's bicubic scaling leaves 0..1 a little."""
    assert only(np.linspace(-0.2, 1.2, 256).reshape(16, 16)).min() == 0


def test_large_pictures_are_kept_small(tmp_path):
    large = random_picture(1).resize((2250, 1500))
    exif = Image.Exif()
    exif[0x0112] = 6
    large.save(tmp_path / "large.jpg", exif=exif)
    large.convert("RGBA").save(tmp_path / "large.png")
    Image.fromarray(np.asarray(large.convert("L")).astype(np.uint16) * 257).save(tmp_path / "deep.png")
    expected = np.asarray(large.resize((1536, 1024), Image.Resampling.LANCZOS)).astype(int)
    assert as_rgb(tmp_path / "large.jpg")[0].size == (1024, 1536)
    for form in (large, np.asarray(large), tmp_path / "large.png"):
        found = only(form)
        assert found.shape == expected.shape
        assert np.abs(found - expected).mean() < 1
    assert only(tmp_path / "deep.png").shape == expected.shape
    assert as_rgb(large.resize((1024, 1500)))[0].size == (1024, 1500)


def test_reading_a_16_bit_picture_takes_little_memory(tmp_path):
    """At most the 16 bytes a pixel that the docstring promises."""
    Image.fromarray(np.zeros((4000, 4000), np.uint16)).save(tmp_path / "deep.png")
    taken = extra_megabytes(lambda: as_rgb(tmp_path / "deep.png"), torch.device("cpu"))
    if taken is None:
        pytest.skip("the system does not say what memory a process takes")
    assert taken * 2**20 <= 16 * 4000**2


def test_an_attribute_of_a_picture_that_is_damaged_is_ignored(tmp_path):
    random_picture(1).save(tmp_path / "fine.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\xff\xff")
    assert as_rgb(tmp_path / "fine.jpg")[0].size == (64, 64)
    exif = Image.Exif()
    exif[0x0112] = 6
    random_picture(1).save(tmp_path / "fine.png", exif=exif)
    data = (tmp_path / "fine.png").read_bytes()
    place = data.index(b"eXIf")
    (tmp_path / "damaged.png").write_bytes(data[: place + 6] + b"????" + data[place + 10 :])
    assert np.array_equal(only(tmp_path / "damaged.png"), np.asarray(random_picture(1)))


def test_a_png_with_large_metadata_is_read(tmp_path):
    texts = PngInfo()
    texts.add_text("prompt", "a" * 5_000_000, zip=True)
    random_picture(1).save(tmp_path / "long.png", pnginfo=texts)
    assert np.array_equal(only(tmp_path / "long.png"), np.asarray(random_picture(1)))


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "gif", "bmp", "tiff", "tga", "ico", "ppm", "sgi", "pcx"])
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, kind):
    random_picture(1).save(tmp_path / f"whole.{kind}")
    whole = (tmp_path / f"whole.{kind}").read_bytes()
    draw = random.Random(kind)
    refused = 0
    for _ in range(100):
        data = bytearray(whole[: draw.randrange(len(whole) // 2, len(whole) + 1)])
        for _ in range(draw.randrange(1, 20)):
            data[draw.randrange(min(len(data), draw.choice([40, 400, 10**6])))] = draw.randrange(256)
        (tmp_path / f"damaged.{kind}").write_bytes(data)
        said = refusal(tmp_path / f"damaged.{kind}")
        assert "\n" not in said
        refused += said != ""
    assert refused


def refusal(path) -> str:
    try:
        as_rgb(path)
    except PezError as error:
        return str(error)
    return ""


def test_a_large_picture_is_read_without_warnings(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    random_picture(1).save(tmp_path / "picture.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_rgb(tmp_path / "picture.png")[0].size == (64, 64)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(PezError, match="more than 150 million pixels"):
        as_rgb(tmp_path / "picture.png")
    monkeypatch.setattr("pez_core.targets.pictures.MOST_PIXELS", 4000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(PezError, match="million pixels, shrink it"):
        as_rgb(tmp_path / "picture.png")


def test_a_folder_is_said_to_be_one(tmp_path):
    with pytest.raises(PezError, match="is a folder: name its pictures, or search it with batch"):
        as_rgb(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PezError, match="is not a file"):
        as_rgb(tmp_path / "pipe.png")


def test_no_other_program_is_started(tmp_path, monkeypatch):
    """Pillow hands EPS to Ghostscript, whatever the file is called."""
    started = []
    monkeypatch.setattr(
        "PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: started.append(1) or Image.new("RGB", (64, 64)).im
    )
    random_picture(1).save(tmp_path / "drawing.eps")
    (tmp_path / "drawing.eps").rename(tmp_path / "innocent.png")
    with pytest.raises(PezError, match="another format than AVIF"):
        as_rgb(tmp_path / "innocent.png")
    assert not started


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
        (np.full((16, 16, 3), -1.0), "0..1"),
        (Image.fromarray(np.full((16, 16), np.nan, np.float32)), "NaN"),
        (Image.fromarray(np.full((16, 16), -1, np.float32)), "0..65535"),
        (Image.fromarray(np.full((16, 16), 1e6, np.float32)), "0..65535"),
        (Image.new("RGB", (8, 401)), "too narrow"),
        (closed(), "cannot be read"),
        ("a\0b.png", "no file"),
        ("a" * 5000, "cannot be read"),
        (".", "is a folder"),
        (torch.zeros(16, 16, 3).to_sparse(), "sparse"),
        (torch.zeros(16, 16, 3, device="meta"), "meta"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_sentence(bad, said):
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
        ("weights", "said"),
        [([1], "Expected 2 weights for 2 pictures, got 1"), ([0, 0], "weights are 0"), ([1, float("nan")], "finite")],
    )
    def test_bad_weights(self, model: ClipModel, weights, said):
        with pytest.raises(PezError, match=said):
            Target.from_images(model, [random_picture(1), random_picture(2)], weights)

    def test_features_are_those_of_open_clips_own_way(self, model: ClipModel, penguin):
        """Our picture features compared with Pillow, open_clip's preprocessing and the bare model."""
        with Image.open(penguin) as image:
            batch = model.image._preprocess(image.convert("RGB"))[None]
        expected = torch.nn.functional.normalize(model.image.module.encode_image(batch), dim=-1)
        torch.testing.assert_close(Target.from_images(model, penguin).features, expected)
