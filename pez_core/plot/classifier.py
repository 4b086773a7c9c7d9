"""A picture of a search for a prompt that classifies: the accuracy by step, the prompt, which labels are taken for which."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from ..classification import ClassifierResult
from ..errors import shorten
from ..objectives.label_judge import Accuracy
from .png import save_png
from .run import FAINT, INK, PAPER, SCALE, SIZE, draw_chart, draw_prompt, plot_font, shade

_TABLE = (40, 130, 400, 400)  # left, top, right, bottom of the cells
_MOST = 12  # labels that are drawn; the others would be too small to read


def plot_classifier(result: ClassifierResult) -> Image.Image:
    """RGB [1200 x 600]: the table of right and given labels on the held-out texts, accuracy by step, the prompt."""
    canvas = Image.new("RGB", (SIZE[0] * SCALE, SIZE[1] * SCALE), PAPER)
    draw = ImageDraw.Draw(canvas)
    _confusion(draw, result.learned, result.task.names)
    draw_chart(draw, result.search, "Best accuracy by step (held-out texts)")
    draw_prompt(draw, result.search)
    return canvas.resize(SIZE, Image.Resampling.LANCZOS)


def save_classifier_plot(result: ClassifierResult, path: Path) -> None:
    """Writes `plot_classifier` as PNG, whole or not at all.

    Raises PezError if it cannot be written.
    """
    save_png(plot_classifier(result), path, "The plot")


def _confusion(draw: ImageDraw.ImageDraw, learned: Accuracy, names: tuple[str, ...]) -> None:
    left, top, right, bottom = _TABLE
    shown = min(len(names), _MOST)
    about = f"Accuracy {learned.accuracy:.3f} on {learned.texts} texts"
    draw.text((left * SCALE, 36 * SCALE), about, fill=INK, font=plot_font(20))
    draw.text((left * SCALE, 68 * SCALE), "rows: the label; columns: the answer", fill=INK, font=plot_font(14))
    name_width = 110
    wide, high = (right - left - name_width) / shown, (bottom - top) / shown
    letters = plot_font(14 if shown <= 6 else 10)
    for row in range(shown):
        y = top + row * high
        draw.text(
            ((left + name_width - 8) * SCALE, (y + high / 2) * SCALE),
            shorten(names[row], 14),
            fill=INK,
            font=letters,
            anchor="rm",
        )
        draw.text(
            ((left + name_width + (row + 0.5) * wide) * SCALE, (top - 8) * SCALE),
            shorten(names[row], max(3, int(wide / 8))),
            fill=INK,
            font=letters,
            anchor="ms",
        )
        total = max(1, sum(learned.confusion[row]))
        for column in range(shown):
            count = learned.confusion[row][column]
            x = left + name_width + column * wide
            box = (x * SCALE, y * SCALE, (x + wide) * SCALE, (y + high) * SCALE)
            draw.rectangle(box, fill=shade(count / total), outline=FAINT, width=SCALE)
            middle = ((x + wide / 2) * SCALE, (y + high / 2) * SCALE)
            draw.text(middle, str(count), fill=INK, font=letters, anchor="mm")
