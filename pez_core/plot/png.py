"""Pictures as PNG files, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from PIL import Image

from ..errors import PezError, first_line


def save_png(picture: Image.Image, path: Path, what: str) -> None:
    """Writes the picture, over an earlier file only once it is complete.

    Raises PezError if it cannot be written; `what`: what the message calls it.
    """
    part = path.with_name(f".{uuid4().hex}.part")  # a unique name, so that no other file is overwritten
    try:
        try:
            with part.open("xb") as file:
                picture.save(file, format="PNG")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise PezError(f"{what} {str(path)!r} cannot be written: {error.strerror or first_line(error)}.") from error
