"""Text files with the prompts, named like the pictures: what trainers of LoRAs read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import PezError, first_line
from .items import Item
from .rows import Row

MODES = ("skip", "replace", "append", "prepend")
BETWEEN = ", "
_MARK = ".pez-half"  # of a file that is being written
_LONGEST = 200  # bytes of its name before the mark: most file systems allow 255


class NoPlaceError(PezError):
    """The caption of one picture cannot be written where it belongs; those of others may."""


@dataclass(frozen=True)
class Sidecars:
    """Writes captions.

    folder: where they go, in sub-folders like the pictures'; None: beside each picture.
    mode: for files that exist. skip: they stay. append, prepend: the caption is put after or before their text.
    prefix: put before each prompt, as it is. escape: whether parentheses are written as CLIP Text Encode reads them.
    """

    folder: Path | None = None
    mode: str = "skip"
    prefix: str = ""
    escape: bool = False

    def rivals(self, item: Item) -> bool:
        """Whether the caption of an item and its twin's would be one file that only one of them can have."""
        if not item.twin or self.mode not in ("skip", "replace"):
            return False
        own, other = (PurePosixPath(key).with_suffix("") for key in (item.key, item.twin))
        return self.folder is None or own == other

    def write(self, item: Item, row: Row) -> None:
        """Writes the caption of a row that has a prompt. Doing it again changes nothing: a job may be killed after it.

        Raises PezError if the file cannot be written, and for pictures in shards if there is no folder; NoPlaceError where
        that is because of what is in the caption's own place.
        """
        prompt = (row["escaped"] if self.escape else None) or row["prompt"]
        if not prompt:
            return
        file, caption = self._file(item), self.prefix + prompt
        try:
            if file.is_dir():
                raise NoPlaceError(f"A folder has the name of the caption, {file.name!r}: rename it.")
            before = file.read_text("utf-8").rstrip("\n") if file.exists() else None
            text = self._merged(before, caption)
            if text is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                half = file.with_name(file.name.encode(errors="ignore")[:_LONGEST].decode(errors="ignore") + _MARK)
                try:
                    half.write_text(text + "\n", "utf-8", newline="\n")
                    half.replace(file)
                except OSError:
                    half.unlink(missing_ok=True)
                    raise
        except UnicodeError as error:
            raise NoPlaceError(
                f"The caption {file.name!r} that is there is not UTF-8 text: save it as UTF-8."
            ) from error
        except OSError as error:
            why = error.strerror or first_line(error)
            if isinstance(error, FileExistsError | NotADirectoryError) and self.folder and self.folder.is_dir():
                raise NoPlaceError(f"The caption {file.name!r} cannot be written: {why}.") from error
            raise PezError(
                f"The caption {str(file)!r} cannot be written: {why.rstrip('.')}. The rows before are saved, and the same "
                "command goes on from there."
            ) from error

    def check(self, item: Item) -> None:
        """Raises PezError for an item that has no place for a caption: it is known before anything is searched."""
        if self.folder is None and not isinstance(item.picture, Path):
            raise PezError(f"{item.key!r} has no file to put a caption beside: give --sidecar a folder.")

    def _merged(self, before: str | None, caption: str) -> str | None:
        """The text of the file, None to leave it as it is."""
        if not before:
            return caption if before is None or self.mode != "skip" else None
        if self.mode == "skip":
            return None
        if self.mode == "replace":
            return caption
        if f"{BETWEEN}{caption}{BETWEEN}" in f"{BETWEEN}{before}{BETWEEN}":
            return None
        return before + BETWEEN + caption if self.mode == "append" else caption + BETWEEN + before

    def _file(self, item: Item) -> Path:
        self.check(item)
        if self.folder is None:
            assert isinstance(item.picture, Path)  # it was checked
            return item.picture.with_suffix(".txt")
        parts = [part for part in PurePosixPath(item.key.replace(os.sep, "/")).parts if part not in ("..", "/")]
        inside = self.folder.joinpath(*(part.replace(":", "_") for part in parts))
        # Only the name of a picture's file has an ending: a text or a sample of a shard may have a dot anywhere.
        named = isinstance(item.picture, Path)
        file = inside.with_suffix(".txt") if named else inside.with_name(inside.name + ".txt")
        if not file.resolve().is_relative_to(self.folder.resolve()):
            raise NoPlaceError(
                f"The caption {str(file)!r} would be written outside of its folder, through a link: remove it."
            )
        return file
