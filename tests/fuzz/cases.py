"""What a kind of case is, and how a case is run: done, refused in one line, or something that must not happen."""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Protocol

from pez_core.cli import main
from pez_core.errors import PezError

KEPT = Path(__file__).parent / "kept"
BAD_INPUT = 2


class Kind(Protocol):
    """Files of one kind, and what reads them.

    name: for the table and the command. most_bytes: of memory that a case may take.
    """

    name: str
    most_bytes: int

    def corpus(self) -> Iterable[tuple[str, bytes]]:
        """Whole and hand-made files: their names and contents, always the same ones."""
        ...

    def damage(self, name: str, data: bytes, other: bytes, rng: random.Random) -> bytes:
        """One of the corpus's files, damaged. other: another of them."""
        ...

    def read(self, file: Path, rng: random.Random) -> None:
        """Reads a case as users would. Raises PezError where it is refused; all else that it raises is a fault."""
        ...


class Fault(Exception):
    """A case that did something that it must not do."""


def kept(kind: str) -> list[tuple[str, bytes]]:
    """The files that once failed."""
    return [(file.name, file.read_bytes()) for file in sorted((KEPT / kind).rglob("*")) if file.is_file()]


def command(*arguments: str | Path) -> str:
    """The standard output of a command of `python -m pez_core`.

    Raises PezError with the line that it ended with, if it refused; Fault for another end, or for more than a line.
    """
    said, told = StringIO(), StringIO()
    with redirect_stdout(said), redirect_stderr(told):
        try:
            status = main([str(each) for each in arguments])
        except SystemExit as end:  # of argparse
            status = end.code
    errors = [line for line in told.getvalue().splitlines() if "error: " in line]
    if "Traceback" in told.getvalue() or (status == BAD_INPUT and len(errors) != 1):
        raise Fault(f"status {status}: {told.getvalue()[-2000:]}")
    if status == BAD_INPUT:
        raise PezError(errors[0].partition("error: ")[2])
    if status not in (0, 3):  # 3: a batch with pictures that failed, each with its own line
        raise Fault(f"status {status}: {told.getvalue()[-2000:]}")
    return said.getvalue()


def one_line(error: PezError) -> str:
    """The message. Raises Fault unless it is one line of a length that a person reads."""
    said = str(error)
    if not said.strip() or len(said.splitlines()) != 1 or len(said) > 1500 or "\0" in said:
        raise Fault(f"not one clear line: {said[:1000]!r}")
    return said
