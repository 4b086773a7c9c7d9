"""A folder of pictures as people have them: damaged, huge, animated, oddly stored and oddly named."""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

COUNT = 200
_NAMES = (
    "with space",
    "Ünïcödé",
    "日本語",
    "emoji 🦊",
    "quote'd",
    'double"quote',
    "percent%20",
    "semi;colon",
    "new\nline",
)
_NAMES += (
    "-dash",
    "#hash",
    "a.b.c",
    "{brace}",
    "[bracket]",
    "tab\there",
    "UPPER",
    "ends with dot.",
    "$HOME",
    "&amp;",
    "e\u0301",
)


def draw_oddities(folder: Path) -> list[str]:
    """Fills the folder with COUNT entries that look like pictures. Returns the names of those that can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = _picture(0)
    good, bad = _kinds(plain), _broken(plain)
    readable: list[str] = []
    for name, data in good.items():
        (folder / name).write_bytes(data)
        readable.append(name)
    for i, name in enumerate(_NAMES):
        (folder / f"{name}.png").write_bytes(_encoded(_picture(i)))
        readable.append(f"{name}.png")
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    (folder / os.fsdecode(b"not utf8 \xff\xfe.png")).write_bytes(_encoded(plain))
    (folder / "link.png").symlink_to("rgb.png")
    readable.append("link.png")
    (folder / "broken link.png").symlink_to("nowhere.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "folder link.png").symlink_to(folder.parent, target_is_directory=True)
    os.mkfifo(folder / "pipe.png")
    (folder / "notes.txt").write_text("no picture")
    (folder / "folder.png").mkdir()
    there = sum(1 for each in folder.iterdir() if each.name not in ("notes.txt", "folder.png"))
    rng = np.random.default_rng(0)
    for i in range(COUNT - there):  # cut off or changed in a random place
        data = bytearray(_encoded(_picture(i), ("PNG", "JPEG", "WEBP", "GIF", "BMP")[i % 5]))
        place = int(rng.integers(8, len(data)))
        damaged = bytes(data[:place]) if i % 2 else bytes(data[:place] + b"\xff\x00" + data[place + 2 :])
        (folder / f"damaged {i:03d}.{('png', 'jpg', 'webp', 'gif', 'bmp')[i % 5]}").write_bytes(damaged)
    return readable


def _picture(seed: int) -> Image.Image:
    shades = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(shades).resize((64, 64), Image.Resampling.NEAREST)


def _encoded(picture: Image.Image, kind: str = "PNG", **more: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **more)
    return file.getvalue()


def _kinds(plain: Image.Image) -> dict[str, bytes]:
    """Pictures that can be read, by name."""
    frames = [_picture(i) for i in range(3)]
    animated = {"save_all": True, "append_images": frames}
    deep = Image.fromarray(np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16))
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "rgb.png": _encoded(plain),
        "animated.gif": _encoded(plain, "GIF", **animated),
        "animated.webp": _encoded(plain, "WEBP", **animated),
        "animated.png": _encoded(plain, "PNG", **animated),
        "cmyk.jpg": _encoded(plain.convert("CMYK"), "JPEG"),
        "cmyk.tiff": _encoded(plain.convert("CMYK"), "TIFF"),
        "lab.tif": _encoded(plain.convert("LAB"), "TIFF"),
        "16 bit.png": _encoded(deep),
        "16 bit.tif": _encoded(deep, "TIFF"),
        "float.tif": _encoded(Image.fromarray(np.full((64, 64), 0.5, np.float32)), "TIFF"),
        "one bit.png": _encoded(plain.convert("1")),
        "palette.png": _encoded(plain.convert("P")),
        "gray alpha.png": _encoded(plain.convert("LA")),
        "transparent.png": _encoded(Image.new("RGBA", (64, 64), (0, 0, 0, 0))),
        "turned.jpg": _encoded(plain, "JPEG", exif=turned),
        "turned.png": _encoded(plain, "PNG", exif=turned),
        "a jpeg.png": _encoded(plain, "JPEG"),
        "a png.jpg": _encoded(plain),
        "a gif.bmp": _encoded(plain, "GIF"),
        "ENDING.PNG": _encoded(plain),
        "huge.png": _encoded(Image.new("L", (9000, 9000), 128), compress_level=1),
        "long.png": _encoded(plain.resize((2000, 64))),
        "black.png": _encoded(Image.new("RGB", (64, 64))),
        "icon.ico": _encoded(plain, "ICO"),
    }


def _broken(plain: Image.Image) -> dict[str, bytes]:
    """Files that cannot be read as pictures, by name."""
    png = _encoded(plain)
    return {
        "empty.png": b"",
        "text.jpg": b"this is no picture",
        "page.png": b"<!DOCTYPE html><html>403</html>",
        "zeros.jpg": bytes(1000),
        "header.png": png[:20],
        "head.jpg": _encoded(plain, "JPEG")[:30],
        "bomb.png": _bomb(60_000),
        "tiny.png": _encoded(plain.resize((4, 4))),
        "narrow.png": _encoded(plain.resize((1000, 9))),
        "a script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
        "a drawing.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "nan.tif": _encoded(Image.fromarray(np.full((64, 64), np.nan, np.float32)), "TIFF"),
    }


def _bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it has `side` x `side` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
