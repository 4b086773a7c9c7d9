"""Names of files to write, checked before any work is done."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import PezError, first_line, kind_of


def files_for(flag: str, file: Path, titles: Sequence[str], inputs: Sequence[str] = ()) -> list[Path]:
    """The PNG file of each of the `titles`: `file` itself for one, else its name with a number and the title.

    Raises PezError for a file that cannot be written or is one of the `inputs`; `flag`: the option that named it.
    """
    if file.suffix.lower() != ".png":
        raise PezError(f"{flag} writes PNG: give a name that ends in .png, not {file.name!r}.")
    if kind_of(file.parent) != "folder":
        raise PezError(f"{flag}: there is no folder {str(file.parent)!r}.")
    files = [file]
    if len(titles) > 1:
        names = ["-".join([file.stem, str(i), *filter(None, [Path(title).stem])]) for i, title in enumerate(titles, 1)]
        files = [file.with_name(f"{name}.png") for name in names]
    for each in files:
        _check_writable(flag, each, inputs)
    return files


def _check_writable(flag: str, file: Path, inputs: Sequence[str]) -> None:
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            pass
        file.lstat()  # also says whether the name is too long
    except FileNotFoundError:
        return
    except OSError as error:
        raise PezError(f"{flag}: {str(file)!r} cannot be written: {error.strerror or first_line(error)}.") from error
    if file.is_dir():
        raise PezError(f"{flag}: {str(file)!r} is a folder: give the name of a file.")
    if file.exists() and any(file.samefile(each) for each in inputs):
        raise PezError(f"{flag}: {str(file)!r} is one of the pictures to match: give another name.")
