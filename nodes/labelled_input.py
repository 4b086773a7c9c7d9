"""Texts with labels from ComfyUI's input folder, from the sample that comes with the pack, or from a widget."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import folder_paths

from ..pez_core import PezError
from ..pez_core.errors import shorten
from ..pez_core.targets.labelled import Examples
from ..pez_core.targets.labelled_files import read_examples, read_lines
from .sample import SAMPLES

SAMPLE = "Moods (sample)"
WRITTEN = "The text below"
ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
SHOWN = 3  # rows that could not be used, which are named


def choices() -> list[str]:
    """What a person can choose: the sample, the widget's text, and the files."""
    return [SAMPLE, WRITTEN, *sorted(_files())]


def misfit(chosen: str) -> str:
    """Why there are no such texts, or ''."""
    files = _files()
    if chosen in (SAMPLE, WRITTEN) or chosen in files:
        return ""
    near = difflib.get_close_matches(chosen, [*files, SAMPLE], n=1, cutoff=0)[0]
    return (
        f"There is no file {shorten(repr(chosen))} in ComfyUI's input folder with texts and labels "
        f"({', '.join(ENDINGS)}). The closest is {near!r}."
    )


def read(chosen: str, written: str) -> Examples:
    """The chosen texts; `written`: those of the widget.

    Raises PezError when they cannot be used.
    """
    if wrong := misfit(chosen):
        raise PezError(wrong)
    if chosen == WRITTEN:
        return read_lines(written, "the text widget")
    return read_examples(SAMPLES / "moods.csv" if chosen == SAMPLE else _files()[chosen])


def fingerprint(chosen: str) -> str:
    """Changes when the chosen file does."""
    path = _files().get(chosen)
    if path is None:
        return ""
    known = path.stat()
    return f"{known.st_mtime_ns} {known.st_size}"


def unused(examples: Examples) -> list[str]:
    """What is said of the rows that could not be used: the first of them, and how many more there are."""
    more = len(examples.skipped) - SHOWN
    rest = [f"{more} more row{'s'[: more > 1]} cannot be used."] if more > 0 else []
    return [*examples.skipped[:SHOWN], *rest]


def _files() -> dict[str, Path]:
    """The files with texts in the input folder by their names. Links that lead out of the folder are none of them."""
    folder = Path(os.path.realpath(folder_paths.get_input_directory()))
    if not folder.is_dir():
        return {}
    found = [each for each in folder.iterdir() if each.suffix.lower() in ENDINGS]
    places = {each.name: Path(os.path.realpath(each)) for each in found}  # Path.resolve may fail at loops of links
    return {name: path for name, path in places.items() if path.is_relative_to(folder) and path.is_file()}
