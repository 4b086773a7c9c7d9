"""Pictures of any kind, as RGB."""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from ..errors import PezError, first_line, shorten

MIN_SIDE = 8  # pixels; smaller pictures show nothing recognizable
MOST_SIDE = 1024  # pixels of the short side, at most: twice what the largest models see
MOST_ASPECT = 50  # of the long side to the short one; preprocessing would enlarge a narrower picture to gigabytes
MOST_QUOTED = 300  # letters of a name in a message
MOST_BYTES = 2**29  # of a file that is read whole, to be read again without its metadata
MOST_PIXELS = 150_000_000  # of a file; reading takes up to 16 bytes for each
TOO_LARGE = f"it has more than {MOST_PIXELS // 10**6} million pixels, shrink it first"
LEAST_VALUE, MOST_VALUE = -0.25, 2.0  # of floating point pictures: resampling overshoots 0..1, but not more than this

FORMATS = (  # that Pillow decodes itself. Not EPS, for which it starts another program
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "IM", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM"),
    *("PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP", "XBM"),
)

_ORIENTATION = 0x0112  # in EXIF
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG = b"\x89PNG\r\n\x1a\n"
_SHOWN = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"IEND")  # the chunks of a PNG that affect the picture


def as_rgb(pictures: Any) -> list[Image.Image]:
    """One or several pictures as a list of RGB images.

    Accepts PIL images, paths, the bytes of picture files, numpy arrays and torch tensors [H, W], [H, W, C] or [B, H, W, C] with 1, 3
    or 4 channels (uint8, uint16, or floating point in 0..1, as ComfyUI's IMAGE), and lists that
    mix them. Transparent parts become white, 16 bits are scaled to 8, EXIF orientation is applied.

    A picture whose short side is longer than 1024 pixels is shrunk to that. Files may have the formats `FORMATS`,
    which Pillow reads by itself; reading takes up to 16 bytes per pixel.

    Raises PezError when there is no picture, or one is smaller than 8 x 8, more than 50 times longer than wide, a
    file of more than 150 million pixels, contains NaN or values out of range, or cannot be read.
    """
    images = list(_each(pictures))
    if not images:
        raise PezError("No picture was given: connect or name at least one.")
    for image in images:
        check_size(image, "The picture")
    return images


def check_size(image: Image.Image, what: str) -> None:
    """Raises PezError for a picture that is too small or too narrow; `what` it is called."""
    size = f"{what} is {image.width} x {image.height} pixels"
    if min(image.size) < MIN_SIDE:
        raise PezError(f"{size}: too small to recognize anything, give at least {MIN_SIDE} x {MIN_SIDE}.")
    if max(image.size) > MOST_ASPECT * min(image.size):
        raise PezError(f"{size}: too narrow, at most {MOST_ASPECT} times the short side can be used.")


def _each(pictures: Any) -> Iterable[Image.Image]:
    if isinstance(pictures, Image.Image):
        yield _from_pil(pictures)
    elif isinstance(pictures, str | os.PathLike):
        yield _from_file(Path(pictures))
    elif isinstance(pictures, bytes):
        yield _from_bytes(pictures)
    elif isinstance(pictures, torch.Tensor):
        yield from _from_array(_array(pictures))
    elif isinstance(pictures, np.ndarray):
        yield from _from_array(pictures)
    elif isinstance(pictures, list | tuple):
        for picture in pictures:
            yield from _each(picture)
    elif pictures is not None:
        raise PezError(f"A {type(pictures).__name__} is not a picture: give a PIL image, an array, a tensor or a path.")


def _from_file(path: Path) -> Image.Image:
    try:
        if not path.is_file():  # reading from a pipe might wait forever
            if path.is_dir():
                raise PezError(f"{str(path)!r} is a folder: name its pictures, or search it with batch.")
            raise PezError(f"{str(path)!r} is not a file." if path.exists() else f"There is no file {str(path)!r}.")
        return _open(path)
    except PezError:
        raise
    except Exception as error:  # a damaged file can make its decoder raise anything
        with suppress(Exception):  # if only metadata is damaged, the picture can be read without it
            if path.stat().st_size <= MOST_BYTES:
                return _open(_without_metadata(path.read_bytes()))
        named = shorten(repr(str(path)), MOST_QUOTED)
        raise PezError(f"{named} cannot be read as a picture: {_why(error).rstrip('.')}.") from error


def _from_bytes(data: bytes) -> Image.Image:
    try:
        return _open(BytesIO(data))
    except Exception as error:  # as for files
        with suppress(Exception):
            return _open(_without_metadata(data))
        raise PezError(f"The picture cannot be read: {_why(error).rstrip('.')}.") from error


def _why(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return TOO_LARGE
    if isinstance(error, UnidentifiedImageError):
        return f"it is damaged, or of another format than {', '.join(FORMATS)}"
    return (error.strerror if isinstance(error, OSError) else None) or first_line(error)


def _open(source: Path | BytesIO) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about size and damaged metadata: both are handled here
        with Image.open(source, formats=_formats()) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            image.draft(None, _small(image.size))  # decodes a JPEG at about the size needed
            image.load()
            return _convert(image)


@cache
def _formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _without_metadata(data: bytes) -> BytesIO:
    """A PNG with only the chunks that affect the picture: damaged or very large texts and profiles do not matter."""
    if not data.startswith(_PNG):
        raise ValueError("not a PNG")
    kept, place = [_PNG], len(_PNG)
    while place < len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        end = place + 12 + length
        intact = zlib.crc32(data[place + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")
        if kind in _SHOWN and (intact or kind != b"eXIf"):
            kept.append(data[place:end])
        place = end
    return BytesIO(b"".join(kept))


def _from_pil(image: Image.Image) -> Image.Image:
    try:
        image.load()
        return _convert(image)
    except PezError:
        raise
    except Exception as error:  # an opened file that cannot be read, or that was closed
        raise PezError(f"The PIL image cannot be read: {first_line(error).rstrip('.')}.") from error


def _convert(image: Image.Image) -> Image.Image:
    """The loaded picture as RGB, upright, its short side at most MOST_SIDE."""
    upright = _UPRIGHT.get(_orientation(image))
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):  # Pillow 10 opens 16 bits as I
        image = Image.fromarray(_eight_bits(np.asarray(image, dtype=np.uint16)))
    elif image.mode in ("I", "F"):
        image = Image.fromarray(_from_numbers(np.array(image, dtype=np.float32), image.mode))
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    if image.mode == "La":  # Pillow converts La only to LA
        image = image.convert("LA")
    image = _finish(image.convert("RGBA" if transparent else "RGB"))
    return image if upright is None else image.transpose(upright)


def _orientation(image: Image.Image) -> int:
    """The orientation in EXIF; 0 if there is none that can be read."""
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return int(image.getexif().get(_ORIENTATION, 0))
    return 0


def _finish(image: Image.Image) -> Image.Image:
    """The RGB or RGBA picture as RGB, its short side at most MOST_SIDE."""
    small = _small(image.size)
    if small != image.size:
        image = image.resize(small, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image


def _small(size: tuple[int, int]) -> tuple[int, int]:
    """The size to which a picture of `size` is shrunk."""
    by = min(1.0, MOST_SIDE / max(1, min(size)))
    return round(size[0] * by), round(size[1] * by)


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """uint16 as uint8: values / 257, rounded, computed in 16 bits."""
    return ((np.minimum(values, 65407) + np.uint16(128)) // np.uint16(257)).astype(np.uint8)


def _from_numbers(values: np.ndarray, mode: str) -> np.ndarray:
    """The float32 `values` of a picture of mode I or F as uint8; white is guessed from the largest. Changes `values`."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(low + high):
        raise _not_finite()
    white = next((top for top in (1, 255, 65535) if high <= top and (mode == "F" or top > 1)), 0)
    if not white or low < LEAST_VALUE * white:
        raise PezError(f"The picture's values run from {low:g} to {high:g}: they must be in 0..1, 0..255 or 0..65535.")
    values *= 255 / white
    return values.clip(0, 255, out=values).round(out=values).astype(np.uint8)


def _array(tensor: torch.Tensor) -> np.ndarray:
    try:
        tensor = tensor.detach().cpu()
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    except (RuntimeError, TypeError) as error:
        raise PezError(
            f"A tensor of {tensor.dtype} on {tensor.device} ({tensor.layout}) has no readable pixels: give a dense "
            "tensor with values."
        ) from error


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
    for values in array:
        if 0 in values.shape:
            raise PezError(f"The picture is empty: its shape is {values.shape}.")
        pixels = _pixels(values)
        image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        yield _finish(image if image.mode == "RGBA" else image.convert("RGB"))


def _pixels(values: np.ndarray) -> np.ndarray:
    """The array [H, W, C] of one picture as uint8."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:  # in either byte order
        return _eight_bits(values.astype(np.uint16))
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * 255
    if values.dtype.kind != "f":
        raise PezError(f"A picture of {values.dtype} is not supported: give uint8, uint16 or floating point in 0..1.")
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(low) or not np.isfinite(high):
        raise _not_finite()
    if high > MOST_VALUE or low < LEAST_VALUE:
        raise PezError(
            f"The picture's values run from {low:g} to {high:g}: floating point pictures must be in 0..1 "
            "(divide by 255, add 1 and halve, or give uint8)."
        )
    return (values.astype(np.float32).clip(0, 1) * 255).round().astype(np.uint8)


def _not_finite() -> PezError:
    return PezError("The picture contains NaN or infinite values: check the node or program that made it.")
