"""Pictures: every format that Pillow writes, in every mode, and some that no program writes."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from pez_core.targets.pictures import MOST_PIXELS, as_rgb

from .cases import Fault, command
from .damage import damaged

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "I", "F")
FORMATS = (  # the last ones are refused: among them is EPS, for which Pillow starts a program
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "IM", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "QOI"),
    *("SGI", "TGA", "TIFF", "WEBP", "XBM", "EPS", "PDF", "BLP", "MSP", "SPIDER", "PALM"),
)
ANIMATED = ("AVIF", "GIF", "MPO", "PNG", "TIFF", "WEBP")
PNG = b"\x89PNG\r\n\x1a\n"
COMMANDS = 0.02  # of the cases go through the command line, which takes a hundred times as long


class Pictures:
    """See `Kind`."""

    name = "pictures"
    most_bytes = 16 * MOST_PIXELS + 2**28

    def corpus(self) -> Iterator[tuple[str, bytes]]:
        """See `Kind`."""
        for kind in FORMATS:
            for mode in MODES:
                if data := _encoded(_picture(0).convert(mode) if mode != "PA" else _with_palette(), kind):
                    yield f"{kind} {mode}.{kind.lower()}".replace(";", ""), data
        for kind in ANIMATED:
            frames = [_picture(i) for i in range(4)]
            if data := _encoded(frames[0], kind, save_all=True, append_images=frames[1:]):
                yield f"animated.{kind.lower()}", data
        for turn in range(10):
            exif = Image.Exif()
            exif[0x0112] = turn
            for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
                yield f"turned {turn}.{kind.lower()}", _encoded(_picture(turn), kind, exif=exif)
        yield from _handmade()

    def damage(self, name: str, data: bytes, other: bytes, rng: random.Random) -> bytes:
        """See `Kind`. Chunks of a PNG get right checksums half of the time, so that what is in them is read."""
        data = damaged(data, other, rng)
        return _with_checksums(data) if data.startswith(PNG) and rng.random() < 0.5 else data

    def read(self, file: Path, rng: random.Random) -> None:
        """See `Kind`."""
        if rng.random() < COMMANDS:
            plot = Path("plot.png")
            try:
                command("invert", file, "--steps", "1", "--restarts", "1", "--length", "2", "--plot", plot)
            except Exception:
                if plot.exists():
                    raise Fault("a plot is there after a refusal") from None
                raise
            Image.open(plot).load()
            plot.unlink()
            return
        (image,) = as_rgb(file if rng.random() < 0.5 else file.read_bytes())
        if image.mode != "RGB" or not 8 <= min(image.size) <= 1024:
            raise Fault(f"read as {image.mode} of {image.size}")


def _picture(seed: int, side: int = 32) -> Image.Image:
    shades = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(shades).resize((side, side), Image.Resampling.NEAREST)


def _with_palette() -> Image.Image:
    image = _picture(0).convert("P")
    return image.convert("PA")


def _encoded(picture: Image.Image, kind: str, **more: object) -> bytes:
    """The file's bytes; empty where the format has no such mode, or this Pillow not the format."""
    file = BytesIO()
    try:
        picture.save(file, kind, **more)
    except Exception:  # noqa: BLE001 - each writer raises its own
        return b""
    return file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, rows: bytes, depth: int = 8, color: int = 2, *more: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return PNG + head + b"".join(more) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")


def _with_checksums(data: bytes) -> bytes:
    made, place = [PNG], len(PNG)
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if end > len(data):
            break
        made.append(_chunk(data[place + 4 : place + 8], data[place + 8 : end - 4]))
        place = end
    return b"".join([*made, data[place:]])


def _handmade() -> Iterator[tuple[str, bytes]]:
    plain = _encoded(_picture(0), "PNG")
    jpeg = _encoded(_picture(0), "JPEG")
    yield "bomb.png", _png(60_000, 60_000, b"\0" * 100)
    yield "most.png", _png(2**31 - 1, 2**31 - 1, b"\0" * 100)
    side = int(MOST_PIXELS**0.5)
    yield "just below the bomb.png", _png(side, side, (b"\0" * (1 + (side + 7) // 8)) * side, 1, 0)
    yield "gray of 16 bits.png", _png(5000, 5000, (b"\0" * 10_001) * 5000, 16, 0)
    yield "narrow.png", _png(8, 100_000, (b"\0" * 25) * 100_000)
    yield "flat.png", _png(100_000, 8, (b"\0" * 300_001) * 8)
    yield "a pixel.png", _png(1, 1, b"\0" * 4)
    yield "more data than rows.png", _png(16, 16, b"\0" * 10**7)
    yield "text bomb.png", _png(16, 16, b"\0" * 16 * 49, 8, 2, _chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 10**8)))
    yield (
        "profile bomb.png",
        _png(16, 16, b"\0" * 16 * 49, 8, 2, _chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x" * 10**8))),
    )
    yield "many texts.png", _png(16, 16, b"\0" * 16 * 49, 8, 2, *[_chunk(b"tEXt", b"a\0" + b"x" * 900)] * 3000)
    yield "no palette.png", _png(16, 16, b"\0" * 16 * 17, 8, 3)
    for kind, by in (("GIF", 1), ("PNG", 1), ("WEBP", 8)):
        frames = [_picture(i, 16) for i in range(400 // by)]
        yield f"many frames.{kind.lower()}", _encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    yield (
        "large screen.gif",
        b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\2L\1\0;",
    )
    yield "large.bmp", b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "negative.bmp", b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, -5, -(2**31), 1, 24, 0, 0, 0, 0, 0, 0)
    yield "large.ppm", b"P3 99999 99999 255 0 0 0"
    yield "digits.ppm", b"P6 " + b"9" * 5000 + b" 9 255 "
    yield "large.tiff", _tiff(2**31 - 1, 2**31 - 1, 0)
    yield "a loop of pages.tiff", _tiff(16, 16, 8)
    yield "plain.psd", _psd(16, 16)
    yield "large.psd", _psd(30_000, 30_000)
    yield "comment.jpg", jpeg[:2] + b"\xff\xfe\xff\xff" + b"c" * 65533 + jpeg[2:]
    yield "narrow.jpg", _encoded(Image.new("RGB", (65_000, 9)), "JPEG")
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\1\3\0\xff\xff\xff\xff\6\0\0\0" * 300
    yield "damaged exif.jpg", jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    yield "starts a program.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\nshowpage\n%%EOF\n"
    yield "a page.jpg", b"<html><script>alert(1)</script></html>"
    yield "nothing.png", b""
    yield "zeros.png", b"\0" * 10_000
    yield "icon.ico", b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0" + struct.pack("<II", len(plain), 22) + plain
    yield "icon of a bomb.ico", b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0\0\1\0\0\x16\0\0\0" + _png(60_000, 60_000, b"\0" * 9)
    yield "floats that are none.tiff", _encoded(Image.fromarray(np.full((16, 16), np.nan, np.float32)), "TIFF")


def _tiff(width: int, height: int, following: int) -> bytes:
    tags = ((256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 256))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + b"\x80" * 256


def _psd(width: int, height: int) -> bytes:
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, height, width, 8, 3)
    return head + b"\0" * 12 + b"\0\0" + b"\x80" * (3 * 256)
