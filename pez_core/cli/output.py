"""Output to a terminal, a file or a pipe, which must not be lost."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import PezError, first_line

PROGRAM = "python -m pez_core"
LIBRARY = __name__.partition(".cli.")[0]  # the logger whose warnings are shown


def say(text: str, end: str = "\n") -> None:
    """Prints to standard output at once.

    Raises PezError if it cannot be written, and BrokenPipeError if nobody reads it anymore.
    """
    try:
        print(text, end=end, flush=True)
    except OSError as error:
        _give_up_output()
        if isinstance(error, BrokenPipeError):
            raise
        raise PezError(f"The output cannot be written: {first_line(error)}.") from error


def say_json(value: Any, indent: int | None = 2) -> None:
    """Prints a value as JSON, at once; on one line if `indent` is None."""
    say(_json(value, indent))


def complain(text: str) -> None:
    """Prints a message to standard error, above a progress bar if there is one."""
    from tqdm import tqdm  # imported late: main can be interrupted meanwhile

    if sys.stderr is not None:
        with suppress(OSError):  # a message that cannot be written must not cost the result
            tqdm.write(f"{PROGRAM}: {text}", file=sys.stderr)


def typed(*arguments: str) -> str:
    """The command line of the program with these arguments, as a person types it in this system's shell."""
    if os.name != "nt":
        return f"{PROGRAM} {shlex.join(arguments)}"
    quoted = [each if re.fullmatch(r"[\w.,=-]+", each) else '"' + each.replace('"', '\\"') + '"' for each in arguments]
    return f"{PROGRAM} {' '.join(quoted)}"


class JsonList:
    """A JSON list on standard output. Each element is written when it is added, and the list is closed however its block
    ends, so what was added is valid JSON."""

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
def escape_unencodable() -> Iterator[None]:
    """Makes standard output escape characters that its encoding lacks, instead of failing."""
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):  # a replacement, which accepts any text
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
    """Prints warnings to standard error as plain lines, without module names or source lines."""
    log, handler, before = logging.getLogger(LIBRARY), _Complaints(logging.WARNING), warnings.showwarning
    propagated, log.propagate = log.propagate, False  # other libraries configure the root logger
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


def _json(value: Any, indent: int | None = 2) -> str:
    """JSON; characters that standard output cannot encode are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def _give_up_output() -> None:
    """Discards what is left in the buffer of standard output: Python would write it at exit and fail again."""
    with suppress(OSError):  # a replacement of standard output may have no descriptor
        ours = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, ours)
        os.close(nowhere)
