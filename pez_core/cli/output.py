"""What goes to the terminal, a file or a pipe, and must not be lost on the way."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import PezError, first_line

PROGRAM = "python -m pez_core"
LIBRARY = __name__.partition(".cli.")[0]  # whose warnings are shown


def say(text: str, end: str = "\n") -> None:
    """Prints to standard output at once.

    Raises PezError where it cannot be written, and BrokenPipeError where nobody reads it anymore.
    """
    try:
        print(text, end=end, flush=True)
    except OSError as error:
        _give_up_output()
        if isinstance(error, BrokenPipeError):
            raise
        raise PezError(f"The output cannot be written: {first_line(error)}.") from error


def say_json(value: Any) -> None:
    """Prints a value as JSON, at once."""
    say(_json(value))


def complain(text: str) -> None:
    """Prints a line about the program itself to standard error, past a bar that may be there."""
    from tqdm import tqdm  # here: main can be interrupted while this is imported

    if sys.stderr is not None:
        tqdm.write(f"{PROGRAM}: {text}", file=sys.stderr)


class JsonList:
    """A JSON list on standard output. Each element is written when it is added; the list is closed with its block,
    whatever ends that, so what was added can be read."""

    def __init__(self) -> None:
        self._before = "[\n  "

    def __enter__(self) -> JsonList:
        return self

    def add(self, value: Any) -> None:
        """Prints one more element, at once."""
        before, self._before = self._before, ",\n  "
        say(before + _json(value).replace("\n", "\n  "), end="")

    def __exit__(self, *_: object) -> None:
        if self._before == ",\n  ":
            say("\n]")


@contextmanager
def escape_what_cannot_be_said() -> Iterator[None]:
    """Standard output prints characters that its encoding lacks as escapes: a result must not be lost to them."""
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):  # something in its place, which takes any text
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        stream.reconfigure(errors=before)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings are plain lines on standard error: no name of a module, no line of source."""
    log, handler, before = logging.getLogger(LIBRARY), _Complaints(logging.WARNING), warnings.showwarning
    propagated, log.propagate = log.propagate, False  # other libraries set the root logger up
    log.addHandler(handler)
    warnings.showwarning = lambda message, *_: complain(f"warning: {first_line(Warning(message))}")
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagated
        warnings.showwarning = before


class _Complaints(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        complain(f"{record.levelname.lower()}: {record.getMessage()}")


def _json(value: Any) -> str:
    """Indented; characters that standard output cannot say are JSON's own escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=2)
    return text


def _give_up_output() -> None:
    """What is left in the buffer of standard output goes nowhere: Python would write it at its end, and fail again."""
    with suppress(OSError):  # what stands in for standard output may have no descriptor
        ours = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, ours)
        os.close(nowhere)
