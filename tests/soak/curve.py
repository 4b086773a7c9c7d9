"""Draws a memory curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from pez_core.plot.png import save_png
from pez_core.plot.run import SCALE, plot_font

SIZE = (800, 260)
CHART = (70, 44, 780, 220)  # left, top, right, bottom
INK, FAINT, LINE = "#1c1c1c", "#d8d8d8", "#1f6fb4"


def draw(memory: Sequence[float], title: str, path: Path) -> None:
    """Writes resident MiB by run as a PNG. The scale begins at 0, so that a flat line looks flat."""
    canvas = Image.new("RGB", (SIZE[0] * SCALE, SIZE[1] * SCALE), "white")
    pen = ImageDraw.Draw(canvas)
    left, top, right, bottom = (each * SCALE for each in CHART)
    high = 1.15 * max(memory)
    pen.text((left, 12 * SCALE), title, fill=INK, font=plot_font(15))
    for i in range(4):
        value = high * i / 3
        y = bottom - value / high * (bottom - top)
        pen.line([(left, y), (right, y)], fill=FAINT, width=SCALE)
        pen.text((left - 8 * SCALE, y), f"{value:.0f}", fill=INK, font=plot_font(12), anchor="rm")
    across = (right - left) / max(1, len(memory) - 1)
    for run in (1, len(memory) // 2, len(memory)):
        place = (left + (run - 1) * across, bottom + 8 * SCALE)
        pen.text(place, str(run), fill=INK, font=plot_font(12), anchor="mt")
    points = [(left + i * across, bottom - value / high * (bottom - top)) for i, value in enumerate(memory)]
    pen.line(points, fill=LINE, width=2 * SCALE, joint="curve")
    save_png(canvas.resize(SIZE, Image.Resampling.LANCZOS).quantize(32), path, "The curve")
