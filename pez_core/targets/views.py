"""Views of a picture (crops, mirror image), and its masked part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ..errors import PezError

CROP = 0.85  # of each side
OWN_SHARE = 0.5  # share of the picture itself; its crops and mirror image share the rest
NEUTRAL = (122, 116, 104)  # the mean color of CLIP's training pictures


class Views(Sequence[Image.Image]):
    """Each of the RGB `pictures`, followed by its mirror image (`flips`) and its four corners (`crops`).

    They are created on demand, so that not all of them are in memory at once.

    Attributes:
        shares: how much each view counts. The views of a picture sum to 1: half for itself if it has others.
    """

    def __init__(self, pictures: Sequence[Image.Image], crops: bool, flips: bool):
        self._pictures = pictures
        self._looks: list[Callable[[Image.Image], Image.Image]] = [ImageOps.mirror] if flips else []
        self._looks += [partial(_corner, right=right, lower=lower) for right in (0, 1) for lower in (0, 1) if crops]
        others = len(self._looks)
        own = [OWN_SHARE, *[(1 - OWN_SHARE) / others] * others] if others else [1.0]
        self.shares = own * len(pictures)

    def __len__(self) -> int:
        return len(self.shares)

    def __getitem__(self, place: Any) -> Any:
        """The view at the index `place`; slices are not supported."""
        which, look = divmod(range(len(self))[place], 1 + len(self._looks))
        picture = self._pictures[which]
        return self._looks[look - 1](picture) if look else picture


def _corner(picture: Image.Image, right: int, lower: int) -> Image.Image:
    width, height = round(picture.width * CROP), round(picture.height * CROP)
    left, top = right * (picture.width - width), lower * (picture.height - height)
    return picture.crop((left, top, left + width, top + height))


def apply_mask(picture: Image.Image, mask: np.ndarray) -> Image.Image:
    """The part of the RGB `picture` that `mask` [H, W], 0 to 1, covers: cut out, on a neutral background.

    A mask of another size is resized to the picture's.

    Raises PezError for a mask that is no picture of numbers, and if it leaves nothing.
    """
    if mask.ndim != 2 or not mask.size or mask.dtype.kind not in "fiub":
        raise PezError(f"A mask must be numbers [height, width], not {mask.dtype} of the shape {mask.shape}.")
    values = np.nan_to_num(mask.astype(np.float32)).clip(0, 1)
    alpha = Image.fromarray((values * 255).round().astype(np.uint8)).resize(picture.size, Image.Resampling.BILINEAR)
    box = alpha.point([0] * 128 + [255] * 128).getbbox()
    if box is None:
        raise PezError("The mask leaves nothing of the picture: paint what counts, or invert the mask.")
    return Image.composite(picture, Image.new("RGB", picture.size, NEUTRAL), alpha).crop(box)
