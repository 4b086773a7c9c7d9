"""The files that hold the rows: readable at every moment, each row whole or not there.

JSON Lines are one file; each pack of rows is appended in one write. Parquet cannot be appended to: its results are a
folder of part files, which readers of Parquet (pyarrow, pandas, DuckDB, Spark) open as one table. Rows go to a journal
first; when it is long enough, it becomes a part, which appears whole by a rename. The journal carries the number of
its part in its name: a job that was killed between the rename and the journal's removal finds both, and knows that
these rows are in the part.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from ..errors import PezError, first_line, kind_of, shorten
from .extras import needed
from .rows import Row, line_of, table_of

PART_ROWS = 4096  # of a Parquet file: ten million rows are 2,500 files
MOST_ROW = 2**24  # bytes of a line
MANIFEST = "manifest.json"
_PART, _JOURNAL = "part-{:06d}.parquet", "_part-{:06d}.jsonl"  # readers of Parquet skip names that begin with _


class Results(Protocol):
    """The results of one job."""

    manifest: Path

    def exists(self) -> bool:
        """Whether there is something at its place that is not of the manifest."""
        ...

    def begin(self, anew: bool) -> None:
        """Makes the place ready to write; what a killed job left half-written is repaired. anew: removes all rows."""
        ...

    def rows(self) -> Iterator[Row]:
        """The rows written so far, with at least key, prompt, similarity and error."""
        ...

    def forget_failed(self) -> None:
        """Removes the rows with an error, each file at once. Raises PezError if that is not possible; then some of them may be
        left, and nothing else has changed."""
        ...

    def add(self, rows: Sequence[Row]) -> None:
        """Writes rows. Raises PezError if that is not possible; then none of them is there."""
        ...

    def close(self) -> None:
        """Ends writing; nothing is lost without it."""
        ...


def open_results(path: str | Path) -> Results:
    """The results at `path`, by its ending: .jsonl, or .parquet (a folder).

    Raises PezError for another ending, a folder that is not there, and if pyarrow is needed and missing.
    """
    path = Path(path)
    if kind_of(path.absolute().parent) != "folder":
        raise PezError(f"There is no folder {str(path.parent)!r} for the results: create it, or give another name.")
    if path.suffix.lower() == ".jsonl":
        return JsonLines(path)
    if path.suffix.lower() == ".parquet":
        needed("pyarrow.parquet", "writing Parquet")
        if kind_of(path) == "file":
            raise PezError(f"{path.name!r} is a file; results in Parquet are a folder: give another name.")
        return ParquetFolder(path)
    raise PezError(
        f"The results are JSON Lines or Parquet: give a name that ends in .jsonl or .parquet, not {path.name!r}."
    )


class JsonLines:
    """One file. See `Results`."""

    def __init__(self, path: Path):
        self._path = Path(os.path.realpath(path))  # a link stays a link
        self._half = self._path.with_name(f".{self._path.name}.half")
        self.manifest = self._path.with_name(f"{self._path.name}.{MANIFEST}")  # locked: one for all links to the file
        self._file = -1

    def exists(self) -> bool:
        """See `Results`."""
        return self._path.exists() and self._path.stat().st_size > 0

    def begin(self, anew: bool) -> None:
        """See `Results`. A last line that was cut off is removed."""
        try:
            self._half.unlink(missing_ok=True)
            self._open()
            os.ftruncate(self._file, 0 if anew else _end_of_lines(self._path))
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)

    def rows(self) -> Iterator[Row]:
        """See `Results`."""
        for _, row in self._lines():
            yield row

    def _lines(self) -> Iterator[tuple[bytes, Row]]:
        """The whole lines, with their rows."""
        if not self._path.exists():
            return
        with self._path.open("rb") as lines:
            for number in count(1):
                line = lines.readline(MOST_ROW)
                if not line.endswith(b"\n") and len(line) < MOST_ROW:
                    return  # the end, or cut off
                try:
                    row = json.loads(line)
                    _ = row["error"], row["prompt"], row["similarity"]
                    if not isinstance(row["key"], str):
                        raise TypeError
                except (ValueError, LookupError, TypeError, RecursionError) as error:
                    raise PezError(
                        f"Line {number} of {self._path.name!r} is no row of a batch: remove it, or restart to begin anew."
                    ) from error
                yield line, row

    def forget_failed(self) -> None:
        """See `Results`. The others are copied, and the copy takes the place of the file."""
        try:
            with self._half.open("wb") as half:
                half.writelines(line for line, row in self._lines() if row["error"] is None)
                half.flush()
                os.fsync(half.fileno())
            shutil.copymode(self._path, self._half)
            os.close(self._file)  # Windows replaces no open file
            self._file = -1
            self._half.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                self._half.unlink()
            raise _unwritable(self._path, error) from error
        finally:
            if self._file < 0:
                self._open()

    def add(self, rows: Sequence[Row]) -> None:
        """See `Results`."""
        data = memoryview(b"".join(map(line_of, rows)))
        before = os.fstat(self._file).st_size
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, before)
            raise _unwritable(self._path, error) from error

    def close(self) -> None:
        """See `Results`."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class ParquetFolder:
    """A folder of part files and a journal. See `Results`."""

    def __init__(self, folder: Path, part_rows: int = PART_ROWS):
        self._folder, self._part_rows = folder, part_rows
        self.manifest = folder / f"_{MANIFEST}"
        self._number, self._waiting = 0, 0  # of the next part, and rows in its journal
        self._journal: JsonLines | None = None

    def exists(self) -> bool:
        """See `Results`."""
        return self._folder.exists() and any(not each.name.startswith(("_", ".")) for each in self._folder.iterdir())

    def begin(self, anew: bool) -> None:
        """See `Results`."""
        try:
            self._folder.mkdir(exist_ok=True)
            for left in [*self._folder.glob(".part-*"), *(self._written() if anew else ())]:
                left.unlink()
            parts = self._parts()
            self._number = len(parts)
            for journal in self._folder.glob(_JOURNAL.replace("{:06d}", "*")):
                if journal.name != _JOURNAL.format(self._number):
                    journal.unlink()  # it became a part
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        self._next_journal()
        assert self._journal
        self._waiting = sum(1 for _ in self._journal.rows())

    def rows(self) -> Iterator[Row]:
        """See `Results`."""
        parquet = needed("pyarrow.parquet", "reading Parquet")
        parts = self._parts()
        for part in parts:
            try:
                for batch in parquet.ParquetFile(part).iter_batches(
                    1024, columns=["key", "prompt", "similarity", "error"]
                ):
                    yield from batch.to_pylist()
            except (OSError, ValueError, KeyError) as error:
                raise PezError(f"{part.name!r} in {self._folder.name!r} is damaged: {first_line(error)}.") from error
        yield from JsonLines(self._folder / _JOURNAL.format(len(parts))).rows()

    def forget_failed(self) -> None:
        """See `Results`. A part of which nothing is left stays, without rows: parts are counted."""
        assert self._journal
        parquet = needed("pyarrow.parquet", "writing Parquet")
        compute = needed("pyarrow.compute", "writing Parquet")
        for part in self._parts():
            try:
                errors = parquet.read_table(part, columns=["error"])["error"]
                if errors.null_count < len(errors):
                    self._write(part, parquet.ParquetFile(part).read().filter(compute.is_null(errors)))
            except OSError as error:
                raise _unwritable(self._folder, error) from error
        self._journal.forget_failed()
        self._waiting = sum(1 for _ in self._journal.rows())

    def _write(self, part: Path, table: Any) -> None:
        """Makes or replaces a part, which is whole at every moment. May raise OSError."""
        half = part.with_name(f".{part.name}")
        try:
            needed("pyarrow.parquet", "writing Parquet").write_table(table, half, compression="zstd")
            with half.open("rb+") as file:
                os.fsync(file.fileno())
            half.replace(part)
        except OSError:
            with suppress(OSError):
                half.unlink()
            raise

    def add(self, rows: Sequence[Row]) -> None:
        """See `Results`."""
        assert self._journal
        self._journal.add(rows)
        self._waiting += len(rows)
        if self._waiting >= self._part_rows:
            self._make_part()

    def close(self) -> None:
        """See `Results`. What is in the journal becomes the last part."""
        if self._journal and self._waiting:
            self._make_part()
        if self._journal:
            self._journal.close()
            (self._folder / _JOURNAL.format(self._number)).unlink(missing_ok=True)
            self._journal = None

    def _make_part(self) -> None:
        assert self._journal
        try:
            self._write(self._folder / _PART.format(self._number), table_of(self._journal.rows()))
        except OSError as error:  # the rows stay in the journal
            raise _unwritable(self._folder, error) from error
        self._journal.close()
        (self._folder / _JOURNAL.format(self._number)).unlink()
        self._number += 1
        self._next_journal()

    def _next_journal(self) -> None:
        self._journal, self._waiting = JsonLines(self._folder / _JOURNAL.format(self._number)), 0
        self._journal.begin(anew=False)

    def _parts(self) -> list[Path]:
        return sorted(self._folder.glob(_PART.replace("{:06d}", "*")))

    def _written(self) -> list[Path]:
        return [*self._parts(), *self._folder.glob(_JOURNAL.replace("{:06d}", "*"))]


def _end_of_lines(path: Path) -> int:
    """Where the last whole line of a file ends."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 2**16)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def _unwritable(path: Path, error: OSError) -> PezError:
    return PezError(
        f"{shorten(path.name)!r} cannot be written: {error.strerror or first_line(error)}. Make room or choose another "
        "place; the rows before are saved, and the same command goes on from there."
    )
