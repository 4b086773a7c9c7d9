"""A picture of a run: the pictures to match, the score by step, the prompt."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..result import InversionResult, Token
from .png import save_png

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SIZE = (1200, 600)
_PAINTED = 400  # pixels that paintings add to the width
_CHART = (470, 80, 1150, 400)  # left, top, right, bottom
_PROMPT = (40, 446, 1160, 560)
_MARGIN, _SIDE = 40, 360  # of the pictures
_SIZES = (24, 19, 15, 13, 11)  # font sizes of the prompt: the first one in which it fits is used
INK, FAINT, _LINE, PAPER = "#1f2328", "#d0d7de", "#0969da", "#ffffff"
SCALE = 2  # drawn larger, then shrunk, for smooth lines


def plot_run(
    result: InversionResult, pictures: Sequence[Image.Image], paintings: Sequence[Image.Image] = ()
) -> Image.Image:
    """RGB [1200 x 600]: up to four of the pictures, similarity by step, the prompt and its similarity.

    paintings: what a painter made of the prompt, up to four; they make the plot 1600 pixels wide.
    """
    wide = _PAINTED if paintings else 0
    canvas = Image.new("RGB", ((SIZE[0] + wide) * SCALE, SIZE[1] * SCALE), PAPER)
    draw = ImageDraw.Draw(canvas)
    _pictures(canvas, pictures, _MARGIN, _MARGIN)
    draw_chart(draw, result, "Best similarity by step (the search's estimate)")
    if paintings:
        _pictures(canvas, paintings, SIZE[0], _CHART[1])
        draw.text((SIZE[0] * SCALE, 36 * SCALE), "Painted from the prompt", fill=INK, font=plot_font(20))
    draw_prompt(draw, result, _PROMPT[2] + wide)
    return canvas.resize((canvas.width // SCALE, canvas.height // SCALE), Image.Resampling.LANCZOS)


def save_plot(
    result: InversionResult, pictures: Sequence[Image.Image], path: Path, paintings: Sequence[Image.Image] = ()
) -> None:
    """Writes `plot_run` as PNG, whole or not at all.

    Raises PezError if it cannot be written.
    """
    save_png(plot_run(result, pictures, paintings), path, "The plot")


def plot_font(size: int) -> Font:
    """The font of a plot, in the pixels of the finished plot."""
    return ImageFont.load_default(size * SCALE)


def _pictures(canvas: Image.Image, pictures: Sequence[Image.Image], left: int, top: int) -> None:
    shown = pictures[:4]
    columns = 1 if len(shown) == 1 else 2
    side = (_SIDE - 10 * (columns - 1)) // columns
    for i, picture in enumerate(shown):
        fit = side * SCALE / max(picture.size)
        size = (max(round(picture.width * fit), 1), max(round(picture.height * fit), 1))
        small = picture.resize(size, Image.Resampling.LANCZOS)
        x, y = left + (i % columns) * (side + 10), top + (i // columns) * (side + 10)
        canvas.paste(small, (x * SCALE, y * SCALE))


def draw_chart(draw: ImageDraw.ImageDraw, result: InversionResult, title: str) -> None:
    """The best value after each step, under a title."""
    left, top, right, bottom = _CHART
    values = [value for value in result.trace if math.isfinite(value)]
    low = math.floor(min(values, default=0) * 10) / 10
    high = max(math.ceil(max(values, default=1) * 10) / 10, low + 0.1)

    def place(step: int, value: float) -> tuple[float, float]:
        across = (step - 1) / max(len(result.trace) - 1, 1)
        up = (value - low) / (high - low)
        return ((left + across * (right - left)) * SCALE, (bottom - up * (bottom - top)) * SCALE)

    draw.text((left * SCALE, 36 * SCALE), title, fill=INK, font=plot_font(20))
    lines = 5
    for i in range(lines + 1):
        value = low + (high - low) * i / lines
        _, y = place(1, value)
        draw.line([(left * SCALE, y), (right * SCALE, y)], fill=FAINT, width=SCALE)
        draw.text(((left - 8) * SCALE, y), f"{value:.2f}", fill=INK, font=plot_font(14), anchor="rm")
    for step in sorted({1, (len(result.trace) + 1) // 2, len(result.trace)}):
        x, _ = place(step, low)
        draw.text((x, (bottom + 10) * SCALE), str(step), fill=INK, font=plot_font(14), anchor="mt")
    points = [place(step, value) for step, value in enumerate(result.trace, 1) if math.isfinite(value)]
    if len(points) > 1:
        draw.line(points, fill=_LINE, width=3 * SCALE, joint="curve")
    elif points:
        (x, y), r = points[0], 4 * SCALE
        draw.ellipse((x - r, y - r, x + r, y + r), fill=_LINE)


def draw_prompt(draw: ImageDraw.ImageDraw, result: InversionResult, right: int = _PROMPT[2]) -> None:
    """The prompt, each token shaded by how much it contributes; then model, steps and seed."""
    left, top, _, bottom = _PROMPT
    text = re.sub(r"\s", " ", result.prompt)
    for size in _SIZES:
        font, height = plot_font(size), size * 3 // 2
        lines = list(_lines(text, font, (right - left) * SCALE))
        room = (bottom - top) // height
        if len(lines) <= room:
            break
    most = max((token.contribution for token in result.tokens), default=0)
    for i, (start, end) in enumerate(lines[:room]):
        x, y, letters = left * SCALE, (top + i * height) * SCALE, []
        for piece, contribution in _pieces(text, result.tokens, start, end):
            wide = draw.textlength(piece, font)
            if contribution > 0:
                box = (x, y, x + wide, y + (height - 3) * SCALE)
                draw.rounded_rectangle(box, 4 * SCALE, fill=shade(contribution / most))
            letters.append((x, piece))
            x += wide
        if i == room - 1 and len(lines) > room:
            letters.append((x, "…"))
        for x, piece in letters:  # after all shades: a letter may reach beyond its own
            draw.text((x, y), piece, fill=INK, font=font)
    about = (
        f"{result.measure} {result.similarity:.4f}   model {result.model}   "
        f"{result.steps} steps in {result.seconds:.1f} s   seed {result.seed}"
    )
    draw.text((left * SCALE, 568 * SCALE), about, fill=INK, font=plot_font(15))


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


def shade(share: float) -> str:
    """The shade for a share: from paper at 0 to a blue at 1 on which the ink is readable."""
    low, high = (0xFF, 0xFF, 0xFF), (0x9A, 0xCB, 0xFF)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))
