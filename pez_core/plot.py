"""A picture of a run: the pictures to match, the similarity by step, the prompt."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .png import save_png
from .result import InversionResult, Token

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_SIZE = (1200, 600)
_PAINTED = 400  # pixels that paintings add to the width
_CHART = (470, 80, 1150, 400)  # left, top, right, bottom
_PROMPT = (40, 446, 1160, 560)
_MARGIN, _SIDE = 40, 360  # of the pictures
_SIZES = (24, 19, 15, 13, 11)  # font sizes of the prompt: the first one in which it fits is used
_INK, _FAINT, _LINE, _PAPER = "#1f2328", "#d0d7de", "#0969da", "#ffffff"
_SCALE = 2  # drawn larger, then shrunk, for smooth lines


def plot_run(
    result: InversionResult, pictures: Sequence[Image.Image], paintings: Sequence[Image.Image] = ()
) -> Image.Image:
    """RGB [1200 x 600]: up to four of the pictures, similarity by step, the prompt and its similarity.

    paintings: what a painter made of the prompt, up to four; they make the plot 1600 pixels wide.
    """
    wide = _PAINTED if paintings else 0
    canvas = Image.new("RGB", ((_SIZE[0] + wide) * _SCALE, _SIZE[1] * _SCALE), _PAPER)
    draw = ImageDraw.Draw(canvas)
    _pictures(canvas, pictures, _MARGIN, _MARGIN)
    _chart(draw, result)
    if paintings:
        _pictures(canvas, paintings, _SIZE[0], _CHART[1])
        draw.text((_SIZE[0] * _SCALE, 36 * _SCALE), "Painted from the prompt", fill=_INK, font=_font(20))
    _words(draw, result, _PROMPT[2] + wide)
    return canvas.resize((canvas.width // _SCALE, canvas.height // _SCALE), Image.Resampling.LANCZOS)


def save_plot(
    result: InversionResult, pictures: Sequence[Image.Image], path: Path, paintings: Sequence[Image.Image] = ()
) -> None:
    """Writes `plot_run` as PNG, whole or not at all.

    Raises PezError if it cannot be written.
    """
    save_png(plot_run(result, pictures, paintings), path, "The plot")


def _font(size: int) -> Font:
    return ImageFont.load_default(size * _SCALE)


def _pictures(canvas: Image.Image, pictures: Sequence[Image.Image], left: int, top: int) -> None:
    shown = pictures[:4]
    columns = 1 if len(shown) == 1 else 2
    side = (_SIDE - 10 * (columns - 1)) // columns
    for i, picture in enumerate(shown):
        fit = side * _SCALE / max(picture.size)
        size = (max(round(picture.width * fit), 1), max(round(picture.height * fit), 1))
        small = picture.resize(size, Image.Resampling.LANCZOS)
        x, y = left + (i % columns) * (side + 10), top + (i // columns) * (side + 10)
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

    draw.text(
        (left * _SCALE, 36 * _SCALE), "Best similarity by step (the search's estimate)", fill=_INK, font=_font(20)
    )
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


def _words(draw: ImageDraw.ImageDraw, result: InversionResult, right: int) -> None:
    """The prompt, each token shaded by how much it contributes; then model, steps and seed."""
    left, top, _, bottom = _PROMPT
    text = re.sub(r"\s", " ", result.prompt)
    for size in _SIZES:
        font, height = _font(size), size * 3 // 2
        lines = list(_lines(text, font, (right - left) * _SCALE))
        room = (bottom - top) // height
        if len(lines) <= room:
            break
    most = max((token.contribution for token in result.tokens), default=0)
    for i, (start, end) in enumerate(lines[:room]):
        x, y, letters = left * _SCALE, (top + i * height) * _SCALE, []
        for piece, contribution in _pieces(text, result.tokens, start, end):
            wide = draw.textlength(piece, font)
            if contribution > 0:
                box = (x, y, x + wide, y + (height - 3) * _SCALE)
                draw.rounded_rectangle(box, 4 * _SCALE, fill=_ground(contribution / most))
            letters.append((x, piece))
            x += wide
        if i == room - 1 and len(lines) > room:
            letters.append((x, "…"))
        for x, piece in letters:  # after all shades: a letter may reach beyond its own
            draw.text((x, y), piece, fill=_INK, font=font)
    about = (
        f"similarity {result.similarity:.4f}   model {result.model}   "
        f"{result.steps} steps in {result.seconds:.1f} s   seed {result.seed}"
    )
    draw.text((left * _SCALE, 568 * _SCALE), about, fill=_INK, font=_font(15))


def _lines(text: str, font: Font, room: float) -> Iterator[tuple[int, int]]:
    """The start and end of each line, no wider than `room`: broken at spaces, and within words that are wider."""
    start = 0
    while start < len(text):
        fits = bisect_right(range(start + 1, len(text) + 1), room, key=lambda end: font.getlength(text[start:end]))
        end = start + max(fits, 1)
        space = text.rfind(" ", start + 1, end + 1) if end < len(text) else -1
        end = space if space > 0 else end
        yield start, end
        start = end + len(text[end:]) - len(text[end:].lstrip())


def _pieces(text: str, tokens: Sequence[Token], start: int, end: int) -> Iterator[tuple[str, float]]:
    """The characters from `start` to `end`, cut at the edges of the tokens, each piece with its contribution; 0
    between tokens."""
    for token in tokens:
        first, last = max(token.start, start), min(token.end, end)
        if first < last:
            yield text[start:first], 0.0
            yield text[first:last], token.contribution
            start = last
    yield text[start:end], 0.0


def _ground(share: float) -> str:
    """The shade for a contribution: from paper at 0 to a blue at 1 on which the ink is readable."""
    low, high = (0xFF, 0xFF, 0xFF), (0x9A, 0xCB, 0xFF)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))
