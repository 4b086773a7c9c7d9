"""Where the pictures of a batch come from: a folder, a list of paths, or shards of WebDataset."""

from __future__ import annotations

import csv
import json
import logging
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TextIO

from PIL import Image

from ..config import SETTINGS
from ..errors import PezError, first_line, kind_of, shorten
from ..targets.pictures import FORMATS
from .extras import needed
from .items import Item, changes_of, name_of

log = logging.getLogger(__name__)

LISTS = (".csv", ".jsonl", ".parquet")
SHARD = ".tar"
TEXT_COLUMNS = ("path", "text")
PIECE = 256  # items of a part
MOST_LINE = 10**7  # characters of a line: a list that is another kind of file may be one long line


class Part(Protocol):
    """A piece of a source, which another process can read: it can be pickled."""

    def items(self) -> Iterator[Item]:
        """Its items, in the order of the source."""
        ...


class Source(Protocol):
    """Pictures to search, always in the same order."""

    def __iter__(self) -> Iterator[Item]: ...

    def count(self) -> int | None:
        """How many items there are; None if only reading all of it could say."""
        ...

    def parts(self, most: int = PIECE) -> Iterator[Part]:
        """The source in pieces of at most `most` items, where it has no pieces of its own."""
        ...


def open_source(path: str | Path, recursive: bool = False, within: Path | None = None) -> Source:
    """The source at `path`: a folder of pictures or of shards, a list (.csv, .jsonl, .parquet), or a shard (.tar).

    recursive: whether the sub-folders of a folder count too. Links to folders are not followed.
    within: a folder that no picture may lie outside of, links included; None for no such limit.

    Raises PezError if there is no such source, or it holds no picture.
    """
    path = Path(path)
    kind = kind_of(path, _shown(path, within))
    if kind == "folder":
        shards = sorted(each for each in path.iterdir() if each.suffix.lower() == SHARD and each.is_file())
        shards = [shard for shard in shards if not outside(shard, within)]
        pictures = FolderSource(path, recursive, within)
        return pictures if not shards or pictures.any() else ShardSource(tuple(shards))
    if kind != "file":
        raise PezError(
            f"There is no folder or file {_shown(path, within)!r}: give a folder of pictures, a list ({', '.join(LISTS)}), or a shard "
            f"({SHARD})."
        )
    if path.suffix.lower() == SHARD:
        return ShardSource((path,))
    if path.suffix.lower() in LISTS:
        return ListSource(path, within)
    raise PezError(
        f"{path.name!r} is no source of pictures: give a folder, a list ({', '.join(LISTS)}), or a shard ({SHARD})."
    )


def _shown(path: Path, within: Path | None) -> str:
    """A path as a person gave it: from the folder that it lies in, if it must."""
    if within is None or not path.is_relative_to(within):
        return shorten(str(path), 200)
    return shorten(path.relative_to(within.parent if path == within else within).as_posix(), 200)


@cache
def endings() -> frozenset[str]:
    """The endings of picture files, in lower case, with the dot."""
    Image.init()
    return frozenset(ending for ending, kind in Image.EXTENSION.items() if kind in FORMATS)


@dataclass(frozen=True)
class Piece:
    """Some items."""

    own: tuple[Item, ...]

    def items(self) -> Iterator[Item]:
        """See `Part`."""
        return iter(self.own)


def _pieces(items: Iterator[Item], most: int) -> Iterator[Piece]:
    own: list[Item] = []
    for item in items:
        own.append(item)
        if len(own) == most:
            yield Piece(tuple(own))
            own = []
    if own:
        yield Piece(tuple(own))


class FolderSource:
    """The files of a folder whose ending is that of a picture, by name. Names that begin with a dot are left out."""

    def __init__(self, folder: Path, recursive: bool = False, within: Path | None = None):
        self._folder, self._recursive, self._within = folder, recursive, within

    def __iter__(self) -> Iterator[Item]:
        for path, twin in self._files(self._folder):
            key = name_of(path.relative_to(self._folder))
            before = name_of(path.with_name(twin).relative_to(self._folder)) if twin else ""
            yield Item(key, path, error=outside(path, self._within), twin=before)

    def any(self) -> bool:
        """Whether there is a picture."""
        return next(self._files(self._folder), None) is not None

    def count(self) -> int:
        """See `Source`."""
        count = sum(1 for _ in self._files(self._folder))
        if not count:
            more = "" if self._recursive else " Its sub-folders count only with the option recursive."
            raise PezError(f"There is no picture in the folder {_shown(self._folder, self._within)!r}.{more}")
        return count

    def parts(self, most: int = PIECE) -> Iterator[Part]:
        """See `Source`."""
        return _pieces(iter(self), most)

    def _files(self, folder: Path) -> Iterator[tuple[Path, str]]:
        """The pictures, and of each the name of the first one there with the same name except for the ending, if there is one."""
        first: dict[str, str] = {}
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise PezError(f"The folder {_shown(folder, self._within)!r} cannot be read: {error.strerror}.") from error
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if self._recursive:
                    yield from self._files(Path(entry.path))
            elif Path(entry.name).suffix.lower() in endings():
                twin = first.setdefault(Path(entry.name).stem, entry.name)
                yield Path(entry.path), twin if twin != entry.name else ""


def outside(path: Path, within: Path | None) -> str:
    """Why a picture may not be read: it lies outside of `within`, links included. '' if it may."""
    if within is None:
        return ""
    try:
        inside = path.resolve().is_relative_to(within.resolve())
    except (OSError, RuntimeError):  # a loop of links
        inside = False
    return "" if inside else f"{path.name!r} leads out of the folder {within.name!r}: copy the picture into it."


class ListSource:
    """The rows of a table: `path` (from the list's folder), `text` (to match, too), and columns named like settings."""

    def __init__(self, file: Path, within: Path | None = None):
        self._file, self._within = file, within

    def __iter__(self) -> Iterator[Item]:
        seen: dict[str, int] = {}
        first: dict[str, str] = {}  # name without its ending -> key
        for number, cells in enumerate(read_rows(self._file), 1):
            if number == 1:
                self._check(cells)
            path, text = (_text(cells.get(name)) for name in TEXT_COLUMNS)
            # Half of a character has no place in a file of results: it is written as \uNNNN.
            name = (path or shorten(text) or f"row {number}").encode("utf-8", "backslashreplace").decode()
            key = name
            while key in seen:  # the same picture again, perhaps with other settings
                seen[name] += 1
                key = f"{name}#{seen[name]}"
            seen[key] = 1
            twin = first.setdefault(str(Path(path).with_suffix("")) if Path(path).name else path, key) if path else key
            item = self._item(key, path, text, cells)
            yield item if twin == key else replace(item, twin=twin)

    def _item(self, key: str, path: str, text: str, cells: Mapping[str, Any]) -> Item:
        picture = self._file.parent / path if path else None
        try:
            changes = changes_of(cells)
        except PezError as error:
            return Item(key, picture, text, error=str(error))
        if picture is None and not text.strip():
            return Item(key, None, error="The row has neither a path nor a text.")
        error = "" if picture is None else outside(picture, self._within)
        return Item(key, picture, text, changes, error)

    def _check(self, cells: Mapping[str, Any]) -> None:
        if not set(TEXT_COLUMNS) & set(cells):
            raise PezError(
                f"{self._file.name!r} has no column path (of pictures, from the list's folder): it has "
                f"{shorten(', '.join(map(str, cells)))}."
            )
        unused = [str(name) for name in cells if name not in SETTINGS and name not in TEXT_COLUMNS]
        if unused:
            log.warning("Columns of %s that are not used: %s.", self._file.name, shorten(", ".join(unused)))

    def count(self) -> int:
        """See `Source`."""
        count = sum(1 for _ in read_rows(self._file))
        if not count:
            raise PezError(f"The list {self._file.name!r} has no row.")
        return count

    def parts(self, most: int = PIECE) -> Iterator[Part]:
        """See `Source`."""
        return _pieces(iter(self), most)


def _text(cell: Any) -> str:
    return "" if cell is None or cell != cell else str(cell)


def read_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a list (.csv, .jsonl, .parquet), by the names of its columns. Raises PezError if it cannot be read."""
    ending = file.suffix.lower()
    try:
        if ending == ".parquet":
            parquet = needed("pyarrow.parquet", "reading Parquet")
            for batch in parquet.ParquetFile(file).iter_batches(1024):
                yield from batch.to_pylist()
            return
        with file.open(encoding="utf-8-sig", newline="" if ending == ".csv" else None) as opened:
            lines = _lines(opened, file.name)
            if ending == ".csv":
                yield from csv.DictReader(lines)
                return
            for number, line in enumerate(lines, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise PezError(f"Line {number} of {file.name!r} is not a JSON object.")
                    yield row
    except PezError:
        raise
    except Exception as error:  # a damaged Parquet file can make its reader raise anything
        why = (error.strerror if isinstance(error, OSError) else None) or first_line(error)
        if isinstance(error, UnicodeDecodeError):
            why = "it is not UTF-8 text, save it as UTF-8"
        if isinstance(error, RecursionError):
            why = "its JSON is nested too deep"
        raise PezError(f"The list {file.name!r} cannot be read: {why.rstrip('.')}.") from error


def _lines(opened: TextIO, name: str) -> Iterator[str]:
    """The lines of a list. Raises PezError for one that is too long, before all of it is read."""
    for number in count(1):
        line = opened.readline(MOST_LINE + 1)
        if not line:
            return
        if len(line) > MOST_LINE:
            raise PezError(f"Line {number} of {name!r} is longer than {MOST_LINE // 10**6} million characters.")
        yield line


@dataclass(frozen=True)
class Shard:
    """One tar file of WebDataset: a picture and what belongs to it have the same name with different endings."""

    file: Path

    def items(self) -> Iterator[Item]:
        """See `Part`. A damaged shard ends with an item that says so. Nothing in a shard is unpickled or run."""
        webdataset = needed("webdataset", "reading .tar shards")
        samples = webdataset.DataPipeline(webdataset.SimpleShardList([str(self.file)]), webdataset.tarfile_to_samples())
        name, seen = name_of(self.file.name), set()
        try:
            for sample in samples:
                for stem, picture in _pictures_of(sample):
                    key = f"{name}/{sample['__key__']}{stem}"
                    if key not in seen:
                        seen.add(key)
                        yield Item(key, picture)
        except (OSError, EOFError, ValueError, LookupError, tarfile.TarError, zlib.error) as error:
            yield Item(name, None, error=f"The shard cannot be read further: {first_line(error).rstrip('.')}.")


def _pictures_of(sample: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The pictures of a sample, with what their keys lack: '' for the first, ".jpg" for another in that format. If there is none, those
    whose names have dots before the ending, which WebDataset takes for one, each with that part of its name: "v1.5 sunset.png"
    is the ending "5 sunset.png" of "v1"."""
    parts = [(*ending.rpartition("."), data) for ending, data in sample.items() if not ending.startswith("__")]
    pictures = [(f".{stem}" if stem else "", data) for stem, _, last, data in parts if f".{last.lower()}" in endings()]
    whole = [(f".{last}", data) for stem, _, last, data in parts if not stem and f".{last.lower()}" in endings()]
    return [("", whole[0][1]), *whole[1:]] if whole else pictures


class ShardSource:
    """Shards, one after the other."""

    def __init__(self, files: Sequence[Path]):
        self._files = files

    def __iter__(self) -> Iterator[Item]:
        for part in self.parts():
            yield from part.items()

    def count(self) -> None:
        """See `Source`: only reading all shards could say."""
        needed("webdataset", "reading .tar shards")  # missing: said before any work

    def parts(self, most: int = PIECE) -> Iterator[Shard]:
        """See `Source`: a part for each shard."""
        return (Shard(file) for file in self._files)
