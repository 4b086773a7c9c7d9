"""What a batch searches for: one item for each picture, and the configuration that is its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..config import SETTINGS, InversionConfig
from ..errors import PezError, shorten


@dataclass(frozen=True)
class Item:
    """One row of the results to be.

    key: its name, different for every item of a source, and the same whenever the source is read.
    picture: a file, the bytes of one, or None for a row that has only a text. text: a text to match, '' for none.
    changes: settings that differ from the job's, by the names of InversionConfig's fields.
    error: why it cannot be searched, '' if it can.
    twin: the key of an item before it with the same name except for the ending, so that one caption would belong to both; ''.
    """

    key: str
    picture: Path | bytes | None
    text: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    twin: str = ""

    def config(self, job: InversionConfig) -> InversionConfig:
        """The item's own configuration. Raises PezError for changes that are not valid."""
        if not self.changes:
            return job
        start = {"start": "words"} if self.changes.get("words") else {}
        return replace(job, **{**self.changes, **start})


def name_of(path: Path | str) -> str:
    """The path as text that every encoding of Unicode has: bytes that are not UTF-8 are written as \\xNN."""
    return os.fsencode(Path(path).as_posix()).decode("utf-8", "backslashreplace")


def _digest(key: str) -> bytes:
    """16 bytes that stand for a key: millions of them are remembered while a job runs."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Known:
    """The keys whose rows are written. Called with a key, it says whether it is one of them."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def __call__(self, key: str) -> bool:
        return _digest(key) in self._digests

    def add(self, key: str) -> None:
        """Adds a key."""
        self._digests.add(_digest(key))


def changes_of(cells: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the cells of a row, by the names of their columns. Empty cells change nothing.

    Raises PezError for a cell that does not hold the kind of value that its setting takes.
    """
    return {
        name: _value(name, cell)
        for name, cell in cells.items()
        if name in SETTINGS and cell is not None and cell != "" and cell == cell  # a missing number is NaN in tables
    }


def _value(name: str, cell: Any) -> Any:
    kind = SETTINGS[name].kind
    if kind == "words":
        return tuple(cell.split(",")) if isinstance(cell, str) else cell
    if kind in ("text", "choice"):
        return str(cell)
    try:
        return int(str(cell).removesuffix(".0")) if kind == "whole" else float(cell)  # tables make numbers of 3 a 3.0
    except (TypeError, ValueError, OverflowError) as error:
        whole = "whole " if kind == "whole" else ""
        raise PezError(f"{name} must be a {whole}number, not {shorten(repr(cell))}.") from error
