"""Whatever a caller calls a picture, as RGB."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import PezError

MIN_SIDE = 8  # pixels; below that there is nothing to recognise


def as_rgb(pictures: Any) -> list[Image.Image]:
    """One or several pictures as a list of RGB images.

    Accepts PIL images, paths, numpy arrays and torch tensors [H, W], [H, W, C] or [B, H, W, C] with 1, 3
    or 4 channels (uint8, uint16, or floating point in 0..1, as ComfyUI's IMAGE), and any mix of them in
    a list. Transparency is laid on white, 16 bits are scaled to 8, EXIF orientation is applied.

    Raises PezError when there is no picture, one is smaller than 8 x 8, holds NaN, or cannot be read.
    """
    found = list(_each(pictures))
    if not found:
        raise PezError("No picture was given: connect or name at least one.")
    for image in found:
        if min(image.size) < MIN_SIDE:
            raise PezError(
                f"The picture is {image.width} x {image.height} pixels: too small to recognise anything, "
                f"give one of at least {MIN_SIDE} x {MIN_SIDE}."
            )
    return found


def _each(pictures: Any) -> Iterable[Image.Image]:
    if isinstance(pictures, Image.Image):
        yield _from_pil(pictures)
    elif isinstance(pictures, str | os.PathLike):
        yield _from_file(pictures)
    elif isinstance(pictures, torch.Tensor):
        yield from _from_array(
            pictures.detach().cpu().float().numpy() if pictures.is_floating_point() else pictures.cpu().numpy()
        )
    elif isinstance(pictures, np.ndarray):
        yield from _from_array(pictures)
    elif isinstance(pictures, list | tuple):
        for picture in pictures:
            yield from _each(picture)
    elif pictures is not None:
        raise PezError(f"A {type(pictures).__name__} is not a picture: give a PIL image, an array, a tensor or a path.")


def _from_file(path: str | os.PathLike[str]) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            return _from_pil(image)
    except FileNotFoundError:
        raise PezError(f"There is no file {os.fspath(path)!r}.") from None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError, SyntaxError) as error:
        raise PezError(f"{os.fspath(path)!r} cannot be read as a picture: {error}.") from None


def _from_pil(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I;16", "I;16L", "I;16B", "I", "F"):
        values = np.asarray(image).astype(np.float64)
        top = (
            1.0
            if image.mode == "F" and values.max(initial=0) <= 1
            else 255.0
            if values.max(initial=0) <= 255
            else 65535.0
        )
        return _to_image(values[..., None] / top)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _from_array(array: np.ndarray) -> Iterable[Image.Image]:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3, 4):
        raise PezError(
            f"An array of shape {array.shape} is not a picture: expected [height, width, channels] "
            "or [pictures, height, width, channels] with 1, 3 or 4 channels."
        )
    if array.dtype == np.uint8:
        values = array / 255.0
    elif array.dtype == np.uint16:
        values = array / 65535.0
    elif array.dtype == np.bool_:
        values = array.astype(np.float64)
    elif np.issubdtype(array.dtype, np.floating):
        values = array.astype(np.float64)
        if not np.isfinite(values).all():
            raise PezError("The picture holds NaN or infinite values: look at the node or program that made it.")
        if values.size and (values.max() > 2 or values.min() < -1):
            raise PezError(
                f"The picture's values run from {values.min():g} to {values.max():g}: floating point pictures "
                "must be in 0..1 (divide by 255, or give uint8)."
            )
    else:
        raise PezError(f"A picture of {array.dtype} is not known: give uint8, uint16 or floating point in 0..1.")
    for one in values:
        yield _to_image(one)


def _to_image(values: np.ndarray) -> Image.Image:
    """float [H, W, C] in 0..1, clipped, as RGB; a fourth channel is opacity over white."""
    if 0 in values.shape:
        raise PezError(f"The picture is empty: its shape is {values.shape}.")
    values = values.clip(0, 1)
    if values.shape[-1] == 4:
        alpha = values[..., 3:]
        values = values[..., :3] * alpha + (1 - alpha)
    if values.shape[-1] == 1:
        values = values.repeat(3, axis=-1)
    return Image.fromarray((values * 255).round().astype(np.uint8))
