"""What a job was started with: the same results are only continued with the same options, by one process at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import PezError, first_line, shorten

VERSION = 1
MOST_BYTES = 2**24  # of the file
WEIGHTS = "the model's weights"  # option: their fingerprint
PRESET = "preset"  # option: only a word for many settings
LATER = (WEIGHTS, PRESET)  # files of older versions lack them


class Manifest:
    """The options of a job, in a file beside its results, which is locked while the job runs."""

    def __init__(self, path: Path):
        self._path = path
        self._file: int | None = None

    def lock(self) -> None:
        """Raises PezError if another process writes the same results. The lock ends with the process."""
        try:
            self._path.parent.mkdir(exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise PezError(f"{self._path.name!r} cannot be written: {error.strerror or first_line(error)}.") from error
        if not _lock(self._file):
            self.release()
            raise PezError(f"Another process writes these results: wait until it has ended ({self._path.name}).")

    def options(self) -> dict[str, Any] | None:
        """The options that the results were started with; None if they were not started.

        Raises PezError for a file of another version, or one that this program did not write.
        """
        assert self._file is not None
        os.lseek(self._file, 0, os.SEEK_SET)
        try:
            told = json.loads(os.read(self._file, MOST_BYTES) or b"null")
        except ValueError:
            return None  # killed while writing it, before the first row
        except RecursionError:  # nested too deep: nothing that this program wrote
            told = ()
        if told is None:
            return None
        options = told.get("options") if isinstance(told, dict) and told.get("version") == VERSION else None
        if not isinstance(options, dict):
            raise PezError(
                f"{self._path.name!r} is of another version of this program, or was edited: give another name, or restart to begin anew."
            )
        return options

    def write(self, options: Mapping[str, Any]) -> None:
        """Records the options of a new job."""
        assert self._file is not None
        text = json.dumps({"version": VERSION, "options": options}, ensure_ascii=False, indent=1) + "\n"
        try:
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, text.encode("utf-8", "backslashreplace"))
            os.fsync(self._file)
        except OSError as error:
            raise PezError(f"{self._path.name!r} cannot be written: {error.strerror or first_line(error)}.") from error

    def release(self) -> None:
        """Ends the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_options(path: Path) -> dict[str, Any]:
    """The options that the results with this manifest were started with, source, recursive and model among them.

    Raises PezError if there is no such file, or it does not hold them.
    """
    try:
        with path.open("rb") as file:
            options = json.loads(file.read(MOST_BYTES))["options"]
        kinds = {"source": str, "recursive": bool, "model": list}
        if not all(isinstance(options[name], kind) for name, kind in kinds.items()):
            raise TypeError
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        why = error.strerror or first_line(error) if isinstance(error, OSError) else "batch did not write it like this"
        raise PezError(
            f"{path.name!r}, which says where the pictures are, cannot be read: {why}. Give the results of the command batch."
        ) from error
    return options


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The options that differ, in words: "seed 1 (was 0), steps 20 (was 10)"; '' if none does."""
    flat = [_flat(each) for each in (before, now)]
    names = [name for name in {**flat[0], **flat[1]} if flat[0].get(name) != flat[1].get(name)]
    names = [name for name in names if name not in LATER or name in flat[0]]
    if names == [PRESET]:
        return ""  # its settings were given one by one
    return ", ".join(f"{name} {_said(flat[1].get(name))} (was {_said(flat[0].get(name))})" for name in names)


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    plain = json.loads(json.dumps(options))  # tuples are lists in the file
    settings = plain.get("settings")
    return {
        **{k: v for k, v in plain.items() if not isinstance(v, dict)},
        **(settings if isinstance(settings, dict) else {}),
    }


def _said(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False))


def _lock(file: int) -> bool:
    """Locks a file for this process; False if another one has it. File systems without locks are trusted."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        lock: Any = msvcrt
        os.lseek(file, 2**30, os.SEEK_SET)  # beyond the text: a locked byte cannot be read by others
        try:
            lock.locking(file, lock.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
