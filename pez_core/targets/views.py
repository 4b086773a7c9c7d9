"""Which part of a picture counts, and further looks at it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from ..errors import PezError

CROP = 0.85  # of each side
NEUTRAL = (122, 116, 104)  # the mean colour that CLIPs are trained to see as nothing


def views(picture: Image.Image, crops: bool, flips: bool) -> list[Image.Image]:
    """Other looks at the RGB `picture`: its mirror image, its four corners."""
    found = [ImageOps.mirror(picture)] if flips else []
    if crops:
        width, height = round(picture.width * CROP), round(picture.height * CROP)
        for left in (0, picture.width - width):
            for top in (0, picture.height - height):
                found.append(picture.crop((left, top, left + width, top + height)))
    return found


def masked(picture: Image.Image, mask: np.ndarray) -> Image.Image:
    """The part of the RGB `picture` that `mask` [H, W], 0 to 1, leaves: cut out, on neutral ground.

    A mask of another size is fitted to the picture.

    Raises PezError where the mask leaves nothing.
    """
    values = np.nan_to_num(mask.astype(np.float32)).clip(0, 1)
    alpha = Image.fromarray((values * 255).round().astype(np.uint8)).resize(picture.size, Image.Resampling.BILINEAR)
    box = alpha.point(lambda value: 255 * (value > 127)).getbbox()
    if box is None:
        raise PezError("The mask leaves nothing of the picture: paint what counts, or invert the mask.")
    return Image.composite(picture, Image.new("RGB", picture.size, NEUTRAL), alpha).crop(box)
