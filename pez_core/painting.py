"""Painting: small pictures from texts, with the embedded painter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import torch
from PIL import Image

from .errors import PezError, as_number, shorten
from .models.painter import Painter, load_painter

STEPS = 24
GUIDANCE = 3.0
MOST_STEPS, MOST_GUIDANCE = 1000, 100.0


def paint(
    texts: Sequence[str],
    seed: int = 0,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    device: str | torch.device = "cpu",
    on_step: Callable[[int, int], object] | None = None,
    painter: Painter | None = None,
) -> list[Image.Image]:
    """Paints each of the texts: RGB pictures of 64 x 64 pixels, in order.

    The same text and seed always give the same picture on the same device, whatever is painted beside it (on a GPU up
    to rounding). The painter knows emoji-like pictures and the words of the embedded model, nothing else: see
    `unknown_words` of its vocabulary.

    Args:
        seed: of the noise that a picture begins as; 0 to 2^64 - 1.
        steps: more are finer and take longer, 1 to 1000.
        guidance: how strictly the picture follows its text; 1 is as in training, 0 ignores the text.
        on_step: called after each step with the steps done and their total. Exceptions pass through.
        painter: None loads the embedded one and keeps it.

    Raises:
        PezError: anything but a list of texts, a text that is too long, or a number out of range.

    Example:
        >>> paint(["a red apple on a blue background"], seed=1)[0].save("apple.png")
    """
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise PezError(f"paint takes a list of texts, not {shorten(repr(texts))}: put a single text into a list.")
    texts = list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise PezError(f"paint takes a list of texts, not {shorten(repr(text))} in it.")
    if not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise PezError(f"seed must be a whole number from 0 to 2^64 - 1, not {seed!r}.")
    if not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS:
        raise PezError(f"steps must be a whole number from 1 to {MOST_STEPS}, not {steps!r}.")
    if not 0 <= as_number(guidance) <= MOST_GUIDANCE:
        raise PezError(f"guidance must be a number from 0 to {MOST_GUIDANCE:.0f}, not {guidance!r}.")
    if not texts:
        return []
    painter = painter or embedded_painter(str(device))
    pictures = painter.paint(texts, [seed] * len(texts), steps, guidance, on_step)
    return [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in pictures]


@lru_cache(maxsize=2)
def embedded_painter(device: str = "cpu") -> Painter:
    """The embedded painter on a device, loaded once."""
    return load_painter(device=device)
