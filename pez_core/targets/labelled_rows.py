"""Rows of files with named columns: CSV, TSV, JSON Lines (each also as .gz) and Parquet."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from ..errors import PezError, first_line, shorten

MOST_BYTES = 2 * 10**9  # of a file, and of what a .gz file unpacks to
MOST_LINES = 5 * 10**6
MOST_LINE_BYTES = 10**7
KINDS = {".csv": "csv", ".tsv": "tsv", ".txt": "tsv", ".jsonl": "json", ".ndjson": "json", ".json": "json"}
KINDS[".parquet"] = "parquet"

_FIRST = 100  # lines whose keys are the columns of a JSON Lines file
_RATED = re.compile(r"\d+(_\d+)?\t-?\d(\.\d+)?\t")  # the beginning of VADER's files
_CLASS_FIRST = re.compile(r'("\d+"|\d+),')  # the beginning of AG News' and Amazon polarity's files


class Row(NamedTuple):
    """One row of a file. where: `Line 7`. values: one for each column, or a sentence part that says what is wrong."""

    where: str
    values: Sequence[Any] | str


@dataclass
class Table:
    """The rows of a file, read while one iterates.

    layout: `columns` for a file that names its columns; `sst2`, `classes` (AG News, Amazon polarity) or `rated` (VADER)
        for one of the published layouts.
    text: the columns that a published layout has its text in.
    names: the names that the file itself gives to label numbers, if any.
    """

    columns: list[str]
    rows: Iterator[Row]
    layout: str = "columns"
    text: tuple[str, ...] = ("text",)
    names: tuple[str, ...] = ()


def open_table(path: Path) -> Table:
    """The table in the file at `path`, its kind told by the file's ending.

    Raises PezError for a file that is missing, a folder, too large, damaged, or of an unknown kind. Iterating over the
    rows raises it for text that is not UTF-8.
    """
    try:
        if not path.is_file():  # reading from a pipe might wait forever
            raise PezError(f"{str(path)!r} is not a file." if path.exists() else f"There is no file {str(path)!r}.")
        size = path.stat().st_size
    except OSError as error:
        raise PezError(f"{str(path)!r} cannot be read: {error.strerror or first_line(error)}.") from error
    if size > MOST_BYTES:
        raise _too_large(path.name, f"{size / 1e9:.1f} GB")
    packed = path.suffix.lower() == ".gz"
    kind = KINDS.get(Path(path.stem if packed else path.name).suffix.lower())
    if kind is None or (packed and kind == "parquet"):
        raise PezError(f"{path.name!r} is of no known kind: give a file that ends in {', '.join(KINDS)}.")
    if kind == "parquet":
        return _parquet(path)

    def opened() -> IO[bytes]:
        return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")

    if packed or size > MOST_LINES:
        _count_lines(opened, path.name)
    return text_table(opened, path.name, kind)


def text_table(opened: Callable[[], IO[bytes]], name: str, kind: str) -> Table:
    """The table in an opened text file of the `kind` csv, tsv or json; `name`: what messages call it."""
    raw = _lines(opened, name)
    first = next(raw, b"").removeprefix(b"\xef\xbb\xbf")
    if not first.strip():
        raise PezError(f"{name!r} is empty, or its first line is: the first line names the columns.")
    rated = kind == "tsv" and _RATED.match(first.decode("latin-1")) is not None
    lines = _decoded(chain([first], raw), name, rated)
    if kind == "json":
        return _json_lines(lines, name)
    start = next(lines)
    lines = chain([start], lines)
    if rated:
        return Table(["id", "label", "text"], _separated(lines, 3, delimiter="\t", quoting=csv.QUOTE_NONE), "rated")
    if kind == "csv" and _CLASS_FIRST.match(start):
        return Table(["label", "title", "body"], _separated(lines, 3), "classes", ("title", "body"))
    if kind == "tsv" and start.split() == ["sentence", "label"]:
        rows = _separated(lines, 2, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        return Table(["sentence", "label"], rows, "sst2", ("sentence",))
    rows = _separated(lines, 0, delimiter="," if kind == "csv" else "\t")
    header = next(rows)
    if isinstance(header.values, str):
        raise PezError(f"{name!r}: {header.where}, which names the columns, cannot be read: {header.values}.")
    return Table([str(column).strip() for column in header.values], rows)


def _lines(opened: Callable[[], IO[bytes]], name: str) -> Iterator[bytes]:
    read = 0
    try:
        with opened() as file:
            for number in range(1, MOST_LINES + 2):
                line = file.readline(MOST_LINE_BYTES + 1)
                read += len(line)
                if not line:
                    return
                if read > MOST_BYTES:
                    raise _too_large(name, f"more than {MOST_BYTES / 1e9:g} GB of text")
                if len(line) > MOST_LINE_BYTES:
                    raise PezError(
                        f"Line {number} of {name!r} is longer than {MOST_LINE_BYTES // 10**6} million bytes."
                    )
                if number > MOST_LINES:
                    raise _too_large(name, f"more than {MOST_LINES // 10**6} million lines")
                yield line
    except (OSError, EOFError, zlib.error) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or first_line(error)
        raise PezError(f"{name!r} cannot be read: {why.rstrip('.')}.") from error


def _count_lines(opened: Callable[[], IO[bytes]], name: str) -> None:
    """Raises PezError for a file of too many lines, before its rows take memory."""
    lines = read = 0
    with suppress(OSError, EOFError, zlib.error), opened() as file:  # reading it will say so
        while (piece := file.read(2**20)) and read <= MOST_BYTES:
            read += len(piece)
            lines += piece.count(b"\n")
            if lines > MOST_LINES:
                raise _too_large(name, f"more than {MOST_LINES // 10**6} million lines")


def _too_large(name: str, has: str) -> PezError:
    most = f"{MOST_BYTES / 1e9:g} GB and {MOST_LINES // 10**6} million lines"
    return PezError(f"{name!r} has {has}: at most {most} can be read, give a part of it.")


def _decoded(lines: Iterable[bytes], name: str, or_latin: bool) -> Iterator[str]:
    """The lines as text. or_latin: a line that is not UTF-8 is Latin-1, as in copies of VADER's files."""
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            if not or_latin:
                raise PezError(f"Line {number} of {name!r} is not UTF-8 text: save the file as UTF-8.") from error
            text = line.decode("latin-1")
        if "\0" in text:  # as in UTF-16
            raise PezError(
                f"Line {number} of {name!r} has zero bytes, so it is not UTF-8 text: save the file as UTF-8."
            )
        yield text


def _separated(lines: Iterator[str], fields: int, **dialect: Any) -> Iterator[Row]:
    """The rows of a CSV or TSV file, blank lines ignored; each has as many fields as the first, or `fields`."""
    reader = csv.reader(lines, strict=True, **dialect)
    while True:
        begin = reader.line_num + 1
        values: Sequence[str] | str
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            values = f"its quotation marks do not match, or a field is longer than {csv.field_size_limit()} characters"
            if "new-line" in str(error):
                values = "it has line ends of one character, CR: save the file with LF or CRLF"
        where = f"Line {begin}" if reader.line_num <= begin else f"Lines {begin} to {reader.line_num}"
        if not values:
            continue
        if not isinstance(values, str):
            fields = fields or len(values)
            if len(values) != fields:
                values = f"it has {len(values)} field{'s'[: len(values) > 1]}, expected {fields}"
        yield Row(where, values)


def _json_lines(lines: Iterator[str], name: str) -> Table:
    first = list(islice(lines, _FIRST))
    keys: dict[str, None] = {}
    for line in first:
        found = _json_object(line)
        keys |= dict.fromkeys(found if isinstance(found, dict) else ())
    columns = list(keys)
    if not columns:
        raise PezError(f"{name!r} has no JSON object on a line of its own: give one object for each text, one a line.")

    def rows() -> Iterator[Row]:
        for number, line in enumerate(chain(first, lines), 1):
            if line.strip():
                found = _json_object(line)
                values = [found.get(key) for key in columns] if isinstance(found, dict) else found
                yield Row(f"Line {number}", values)

    return Table(columns, rows())


def _json_object(line: str) -> dict[str, Any] | str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return f"it is not a JSON object on one line: {shorten(line.strip(), 30)}"
    return found if isinstance(found, dict) else f"it is not a JSON object: {shorten(line.strip(), 30)}"


def _parquet(path: Path) -> Table:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise PezError(f"{path.name!r}: Parquet files need pyarrow: python -m pip install pyarrow") from error

    def failed(error: Exception) -> PezError:
        return PezError(f"{path.name!r} cannot be read as Parquet: {first_line(error).rstrip('.')}.")

    try:
        file = parquet.ParquetFile(path)
        columns, count = list(file.schema_arrow.names), file.metadata.num_rows
        own = (file.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    except Exception as error:  # a damaged file can make its reader raise anything
        raise failed(error) from error
    if count > MOST_LINES:
        raise _too_large(path.name, f"{count / 1e6:.1f} million rows")

    def rows() -> Iterator[Row]:
        number = 0
        try:
            for batch in file.iter_batches(1000):
                for values in zip(*(batch.column(i).to_pylist() for i in range(len(columns))), strict=True):
                    number += 1
                    yield Row(f"Row {number}", values)
        except Exception as error:
            raise failed(error) from error

    return Table(columns, rows(), names=_class_names(own))


def _class_names(own: bytes) -> tuple[str, ...]:
    """The label names in what the library `datasets` writes into a Parquet file; none unless exactly one column has such names."""
    try:
        features = json.loads(own)["info"]["features"].values()
        found = [tuple(map(str, each["names"])) for each in features if each.get("_type") == "ClassLabel"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    return found[0] if len(found) == 1 else ()
