"""A picture of a run: what was looked at, how the similarity rose, what was found."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .result import InversionResult

_SIZE = (1200, 600)
_CHART = (470, 80, 1150, 400)  # left, top, right, bottom
_INK, _FAINT, _LINE, _PAPER = "#1f2328", "#d0d7de", "#0969da", "#ffffff"
_SCALE = 2  # drawn larger and shrunk: smooth lines


def plot_run(result: InversionResult, pictures: Sequence[Image.Image]) -> Image.Image:
    """RGB [1200 x 600]: up to four of the pictures, similarity by step, the prompt and its similarity."""
    canvas = Image.new("RGB", (_SIZE[0] * _SCALE, _SIZE[1] * _SCALE), _PAPER)
    draw = ImageDraw.Draw(canvas)
    _pictures(canvas, pictures)
    _chart(draw, result)
    _words(draw, result)
    return canvas.resize(_SIZE, Image.Resampling.LANCZOS)


def save_plot(result: InversionResult, pictures: Sequence[Image.Image], path: Path) -> None:
    """Writes `plot_run` as PNG, whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        plot_run(result, pictures).save(part, format="PNG")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * _SCALE)


def _pictures(canvas: Image.Image, pictures: Sequence[Image.Image]) -> None:
    shown = pictures[:4]
    columns = 1 if len(shown) == 1 else 2
    side = (360 - 10 * (columns - 1)) // columns
    for i, picture in enumerate(shown):
        small = picture.copy()
        fit = side * _SCALE / max(small.size)
        small = small.resize(
            (max(round(small.width * fit), 1), max(round(small.height * fit), 1)), Image.Resampling.LANCZOS
        )
        x, y = 40 + (i % columns) * (side + 10), 40 + (i // columns) * (side + 10)
        canvas.paste(small, (x * _SCALE, y * _SCALE))


def _chart(draw: ImageDraw.ImageDraw, result: InversionResult) -> None:
    left, top, right, bottom = _CHART
    values = [value for value in result.trace if math.isfinite(value)]
    low = math.floor(min(values, default=0) * 10) / 10
    high = max(math.ceil(max(values, default=1) * 10) / 10, low + 0.1)

    def place(step: int, value: float) -> tuple[float, float]:
        across = (step - 1) / max(len(result.trace) - 1, 1)
        up = (value - low) / (high - low)
        return ((left + across * (right - left)) * _SCALE, (bottom - up * (bottom - top)) * _SCALE)

    draw.text((left * _SCALE, 36 * _SCALE), "Best similarity by step", fill=_INK, font=_font(20))
    lines = 5
    for i in range(lines + 1):
        value = low + (high - low) * i / lines
        _, y = place(1, value)
        draw.line([(left * _SCALE, y), (right * _SCALE, y)], fill=_FAINT, width=_SCALE)
        draw.text(((left - 8) * _SCALE, y), f"{value:.2f}", fill=_INK, font=_font(14), anchor="rm")
    for step in sorted({1, (len(result.trace) + 1) // 2, len(result.trace)}):
        x, _ = place(step, low)
        draw.text((x, (bottom + 10) * _SCALE), str(step), fill=_INK, font=_font(14), anchor="mt")
    points = [place(step, value) for step, value in enumerate(result.trace, 1) if math.isfinite(value)]
    if len(points) > 1:
        draw.line(points, fill=_LINE, width=3 * _SCALE, joint="curve")
    elif points:
        (x, y), r = points[0], 4 * _SCALE
        draw.ellipse((x - r, y - r, x + r, y + r), fill=_LINE)


def _words(draw: ImageDraw.ImageDraw, result: InversionResult) -> None:
    """The prompt, each token on the darker a ground the more it is worth; then what it was found with."""
    font = _font(24)
    most = max((token.importance for token in result.tokens), default=0)
    x, y, right = 40 * _SCALE, 448 * _SCALE, 1160 * _SCALE
    for token in result.tokens:
        text = textwrap.shorten(token.text, 60, placeholder="…")
        wide = draw.textlength(text, font)
        if x + wide > right:
            x, y = 40 * _SCALE, y + 38 * _SCALE
        if y > 530 * _SCALE:
            draw.text((x, y), "…", fill=_INK, font=font)
            break
        share = max(token.importance, 0) / most if most > 0 else 0
        box = (x - 4 * _SCALE, y - 2 * _SCALE, x + wide + 4 * _SCALE, y + 31 * _SCALE)
        draw.rounded_rectangle(box, 4 * _SCALE, fill=_ground(share))
        draw.text((x, y), text, fill=_INK, font=font)
        x += wide + 14 * _SCALE
    about = (
        f"similarity {result.similarity:.4f}   model {result.model}   "
        f"{result.steps} steps in {result.seconds:.1f} s   seed {result.seed}"
    )
    draw.text((40 * _SCALE, 568 * _SCALE), about, fill=_INK, font=_font(15))


def _ground(share: float) -> str:
    """From paper at 0 to a blue that ink can be read on at 1."""
    low, high = (0xFF, 0xFF, 0xFF), (0x9A, 0xCB, 0xFF)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))
